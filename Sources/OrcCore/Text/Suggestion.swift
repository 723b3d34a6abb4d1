/// Suggests the known word that a user probably meant by an unknown word.
package enum Suggestion {
    /// Returns the element of `words` that is nearest to `word`, the first one if several are equally near.
    ///
    /// Nil if the distance is more than `most`, or more than a third of the known word's letters. A distance of
    /// 1 is allowed however short the known word is.
    package static func nearest(to word: String, of words: some Sequence<String>, most: Int = .max) -> String? {
        let given = Array(word.lowercased().unicodeScalars.prefix(64))
        var best: (word: String, distance: Int)?
        for candidate in words {
            let distance = distance(given, Array(candidate.lowercased().unicodeScalars))
            guard distance <= min(most, max(1, candidate.unicodeScalars.count / 3)), distance < best?.distance ?? .max
            else {
                continue
            }
            best = (candidate, distance)
        }
        return best?.word
    }

    /// Returns the message `word is not known`, followed by the known word that was probably meant.
    package static func complaint(about word: String, of words: some Sequence<String>) -> String {
        let shown = word.prefix(bytes: 64).printable
        guard let nearest = nearest(to: word, of: words) else { return "\(shown) is not known" }
        return "\(shown) is not known: did you mean \(nearest)?"
    }

    /// Returns the number of edits that turn `from` into `to`.
    ///
    /// An edit inserts, deletes or replaces a character, or swaps two neighbours. This is Damerau's distance in its
    /// restricted form.
    private static func distance(_ from: [Unicode.Scalar], _ to: [Unicode.Scalar]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...to.count)
        for (row, letter) in from.enumerated() {
            var current = [row + 1]
            for (column, other) in to.enumerated() {
                var least = min(last[column + 1] + 1, current[column] + 1, last[column] + (letter == other ? 0 : 1))
                if row > 0, column > 0, letter == to[column - 1], from[row - 1] == other {
                    least = min(least, beforeLast[column - 1] + 1)
                }
                current.append(least)
            }
            (beforeLast, last) = (last, current)
        }
        return last[to.count]
    }
}
