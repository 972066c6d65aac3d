// First in, first out, without moving what waits.

struct FIFO<Element> {
  private var elements: [Element?] = []
  private var head = 0

  var count: Int { elements.count - head }
  var isEmpty: Bool { count == 0 }
  var first: Element? { isEmpty ? nil : elements[head] }
  subscript(index: Int) -> Element { elements[head + index]! }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func popFirst() -> Element? {
    guard !isEmpty else { return nil }
    let element = elements[head].take()
    head += 1
    if head == elements.count {
      elements.removeAll(keepingCapacity: true)
      head = 0
    } else if head >= 1024, head * 2 > elements.count {
      elements.removeFirst(head)
      head = 0
    }
    return element
  }

  mutating func prepend(_ others: [Element]) {
    elements.replaceSubrange(..<head, with: others.map { Optional($0) })
    head = 0
  }

  mutating func replaceFirst(_ element: Element) { elements[head] = element }

  mutating func removeAll(where isUnwanted: (Element) -> Bool) -> [Element] {
    var removed: [Element] = []
    let all = elements[head...].compactMap { $0 }
    elements = []
    head = 0
    for element in all {
      if isUnwanted(element) { removed.append(element) } else { elements.append(element) }
    }
    return removed
  }
}
