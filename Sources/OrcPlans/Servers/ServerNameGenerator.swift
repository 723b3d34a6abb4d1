/// Generates names for servers whose owner gave none.
package enum ServerNameGenerator {
    private static let first = [
        "amber", "ashen", "bold", "bright", "broken", "cold", "copper", "crimson", "dusky", "elder", "frosty", "gilded",
        "grim", "hidden", "iron", "lonely", "misty", "mossy", "northern", "quiet", "rusty", "scarlet", "stormy", "wild",
    ]
    private static let second = [
        "anvil", "barrow", "beacon", "bridge", "cairn", "camp", "cove", "crag", "den", "fen", "ford", "forge",
        "gate", "glade", "haven", "hearth", "hollow", "keep", "marsh", "mill", "peak", "ridge", "tower", "vale",
    ]

    /// Returns a random name for which `isTaken` returns false; nil if a hundred tries found none.
    package static func draw(isTaken: (String) -> Bool) -> String? {
        for attempt in 0..<100 {
            guard let one = first.randomElement(), let two = second.randomElement() else { return nil }
            let name = attempt < 50 ? one + two : one + two + String(Int.random(in: 2...99))
            if !isTaken(name) { return name }
        }
        return nil
    }
}
