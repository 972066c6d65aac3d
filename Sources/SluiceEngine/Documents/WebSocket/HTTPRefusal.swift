// An answer to a request that does not become a session. Its connection ends with it.

internal import SluiceJSON

package struct HTTPRefusal: Error, Equatable, Sendable {
  package var status: Int
  /// Stands in the body as {"error":{"message":…}}.
  package var message: String

  package init(status: Int, message: String) {
    self.status = status
    self.message = message
  }

  static let badRequest = HTTPRefusal(status: 400, message: "Bad request")
  static let upgradeRequired = HTTPRefusal(status: 400, message: "Upgrade required")
  static let badOrigin = HTTPRefusal(status: 403, message: "Origin not allowed")
  static let notFound = HTTPRefusal(status: 404, message: "Not found")
  static let tooSlow = HTTPRefusal(status: 408, message: "Request timeout")
  static let badVersion = HTTPRefusal(status: 426, message: "WebSocket version 13 required")
  static let headTooLarge = HTTPRefusal(status: 431, message: "Request header too large")
  static let tooMuchHeld = HTTPRefusal(status: 503, message: "Too many unfinished requests")
  static let tooManySessions = HTTPRefusal(status: 503, message: "Too many sessions")

  private var phrase: String {
    switch status {
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 408: "Request Timeout"
    case 426: "Upgrade Required"
    case 431: "Request Header Fields Too Large"
    case 503: "Service Unavailable"
    default: "Error"
    }
  }

  /// The response with its body.
  var response: [UInt8] {
    let body =
      Array(#"{"error":{"message":"#.utf8) + JSONText.quoted(Array(message.utf8))
      + Array("}}".utf8)
    var head = "HTTP/1.1 \(status) \(phrase)\r\nConnection: close\r\n"
    if status == 401 { head += "WWW-Authenticate: Bearer\r\n" }
    if status == 426 { head += "Sec-WebSocket-Version: 13\r\n" }
    head += "Content-Type: application/json\r\nContent-Length: \(body.count)\r\n\r\n"
    return Array(head.utf8) + body
  }
}
