// Times as they are stored: UTC, `YYYY-MM-DDTHH:MM:SS.mmmZ`. All have one length, so that comparing
// texts compares times. Pure.

enum SpaceTime {
  /// The text of a time. Times outside the years 0 to 9999 become the nearest within.
  static func text(millisecondsSince1970 milliseconds: Int64) -> String {
    let bounded = min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999)
    let day = bounded >= 0 ? bounded / 86_400_000 : (bounded - 86_399_999) / 86_400_000
    let rest = bounded - day * 86_400_000
    let (year, month, dayOfMonth) = civil(day)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(24)
    append(year, 4, &bytes)
    bytes.append(UInt8(ascii: "-"))
    append(month, 2, &bytes)
    bytes.append(UInt8(ascii: "-"))
    append(dayOfMonth, 2, &bytes)
    bytes.append(UInt8(ascii: "T"))
    append(rest / 3_600_000, 2, &bytes)
    bytes.append(UInt8(ascii: ":"))
    append(rest / 60_000 % 60, 2, &bytes)
    bytes.append(UInt8(ascii: ":"))
    append(rest / 1000 % 60, 2, &bytes)
    bytes.append(UInt8(ascii: "."))
    append(rest % 1000, 3, &bytes)
    bytes.append(UInt8(ascii: "Z"))
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The stored form of a time of RFC 3339, with any fraction and offset; nil for other texts. What
  /// is finer than a millisecond is cut off.
  static func normalised(_ text: String) -> String? {
    var reader = Reader(bytes: Array(text.utf8))
    guard let year = reader.number(4), reader.take("-"), let month = reader.number(2),
      reader.take("-"), let day = reader.number(2), reader.take("T") || reader.take("t"),
      let hour = reader.number(2), reader.take(":"), let minute = reader.number(2),
      reader.take(":"), let second = reader.number(2),
      (1...12).contains(month), (1...daysOfMonth(year, month)).contains(day), hour < 24,
      minute < 60, second < 60, let milliseconds = reader.fraction(),
      let offsetMinutes = reader.offset(), reader.isAtEnd
    else { return nil }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
    return self.text(
      millisecondsSince1970: (seconds - offsetMinutes * 60) * 1000 + milliseconds)
  }

  private static func append(_ number: Int64, _ digitCount: Int, _ bytes: inout [UInt8]) {
    var divisor: Int64 = 1
    for _ in 1..<digitCount { divisor *= 10 }
    while divisor > 0 {
      bytes.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
      divisor /= 10
    }
  }

  // MARK: The Gregorian calendar, by Howard Hinnant's "chrono-compatible low-level date algorithms"

  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month <= 2 ? year - 1 : year
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
  }

  private static func civil(_ day: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = day + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth + (shiftedMonth < 10 ? 3 : -9)
    return (
      yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month,
      dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    )
  }

  private static func daysOfMonth(_ year: Int64, _ month: Int64) -> Int64 {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  private struct Reader {
    let bytes: [UInt8]
    var place = 0

    var isAtEnd: Bool { place == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
      guard place < bytes.count, bytes[place] == UInt8(ascii: character) else { return false }
      place += 1
      return true
    }

    private mutating func digit() -> Int64? {
      guard place < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[place])
      else { return nil }
      place += 1
      return Int64(bytes[place - 1] - UInt8(ascii: "0"))
    }

    mutating func number(_ digitCount: Int) -> Int64? {
      var number: Int64 = 0
      for _ in 0..<digitCount {
        guard let digit = digit() else { return nil }
        number = number * 10 + digit
      }
      return number
    }

    /// The milliseconds of a fraction, which may be missing.
    mutating func fraction() -> Int64? {
      guard take(".") else { return 0 }
      var milliseconds: Int64 = 0
      var weight: Int64 = 100
      guard let first = digit() else { return nil }
      milliseconds += first * weight
      while let digit = digit() {
        weight /= 10
        milliseconds += digit * weight
      }
      return milliseconds
    }

    mutating func offset() -> Int64? {
      if take("Z") || take("z") { return 0 }
      let isNegative = take("-")
      guard isNegative || take("+"), let hours = number(2), take(":"), let minutes = number(2),
        hours < 24, minutes < 60
      else { return nil }
      return (hours * 60 + minutes) * (isNegative ? -1 : 1)
    }
  }
}
