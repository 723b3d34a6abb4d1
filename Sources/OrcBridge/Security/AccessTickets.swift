import HTTPTypes
import OrcContract
import OrcCore
import Synchronization

/// Single-use tickets: within a minute, a ticket authorizes one connection with the rights of the key that requested
/// it.
///
/// A ticket may be part of a URL. A key must not, since URLs get into logs and browser histories.
final class AccessTickets: Sendable {
    /// Lifetime of a ticket in seconds.
    private static let lifetime = 60
    /// Maximum number of open tickets of one key; a further ticket invalidates the oldest.
    private static let maxPerKey = 64

    private struct Ticket {
        let digest: [UInt8]
        let key: APIKey
        let end: ContinuousClock.Instant
    }

    /// Unused tickets, oldest first.
    private let open = Mutex<[Ticket]>([])

    func answer(_ caller: Principal) -> BridgeResponse {
        let ticket = draw(for: caller.key)
        var answer = BridgeResponse.json(
            ["v": 1, "ticket": .string(ticket), "seconds": .optional(Self.lifetime)], .created)
        answer.headers[.cacheControl] = "no-store"
        return answer
    }

    func draw(for key: APIKey, now: ContinuousClock.Instant = .now) -> String {
        let secret = APIKey.secret()
        let ticket = Ticket(
            digest: APIKey.digest(of: secret), key: key, end: now.advanced(by: .seconds(Self.lifetime)))
        open.withLock { open in
            open.removeAll { $0.end <= now }
            if open.count(where: { $0.key == key }) >= Self.maxPerKey,
                let oldest = open.firstIndex(where: { $0.key == key })
            {
                open.remove(at: oldest)
            }
            open.append(ticket)
        }
        return secret
    }

    /// Returns the key of a ticket and removes the ticket; nil if the ticket is unknown, used or expired.
    func redeem(_ secret: String, now: ContinuousClock.Instant = .now) -> APIKey? {
        let digest = APIKey.digest(of: secret)
        return open.withLock { open in
            guard !digest.isEmpty, let index = open.firstIndex(where: { $0.digest == digest }) else { return nil }
            let ticket = open.remove(at: index)
            return ticket.end > now ? ticket.key : nil
        }
    }
}
