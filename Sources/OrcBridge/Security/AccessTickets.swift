import HTTPTypes
import OrcContract
import OrcCore
import Synchronization

/// Tickets: each lets in one connection, soon, as the key with which it was asked for.
///
/// They may stand in a URL, which gets into logs and histories, as a key must not.
final class AccessTickets: Sendable {
    /// Seconds for which one counts.
    private static let life = 60
    /// Of one key; with more, its oldest counts no longer.
    private static let mostOfOne = 64

    private struct Ticket {
        let digest: [UInt8]
        let key: APIKey
        let end: ContinuousClock.Instant
    }

    /// The oldest first.
    private let open = Mutex<[Ticket]>([])

    func answer(_ caller: Principal) -> BridgeResponse {
        let ticket = draw(for: caller.key)
        var answer = BridgeResponse.json(
            ["v": 1, "ticket": .string(ticket), "seconds": .optional(Self.life)], .created)
        answer.headers[.cacheControl] = "no-store"
        return answer
    }

    func draw(for key: APIKey, now: ContinuousClock.Instant = .now) -> String {
        let secret = APIKey.secret()
        let ticket = Ticket(
            digest: APIKey.digest(of: secret), key: key, end: now.advanced(by: .seconds(Self.life)))
        open.withLock { open in
            open.removeAll { $0.end <= now }
            if open.count(where: { $0.key == key }) >= Self.mostOfOne,
                let oldest = open.firstIndex(where: { $0.key == key })
            {
                open.remove(at: oldest)
            }
            open.append(ticket)
        }
        return secret
    }

    /// The key that a ticket stands for, which is used up with it; nil where it counts no more, or never did.
    func redeem(_ secret: String, now: ContinuousClock.Instant = .now) -> APIKey? {
        let digest = APIKey.digest(of: secret)
        return open.withLock { open in
            guard !digest.isEmpty, let index = open.firstIndex(where: { $0.digest == digest }) else { return nil }
            let ticket = open.remove(at: index)
            return ticket.end > now ? ticket.key : nil
        }
    }
}
