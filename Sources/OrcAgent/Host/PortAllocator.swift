import OrcContract
import OrcCore
import OrcEngine
import OrcPlans
import Synchronization

/// Ports chosen by creations in progress, so that two concurrent creations do not choose the same port.
final class PortReservations: Sendable {
    private let chosen = Mutex<[ServerID: [PlanPort]]>([:])

    /// Chooses ports that are free according to `book` and that no other creation has chosen.
    func choose(
        for server: ServerID, from groups: [[PlanPort]], numbers: [String: Int], by book: PortAllocator
    ) throws -> [PlanPort] {
        try chosen.withLock { chosen in
            var book = book
            for (other, ports) in chosen where other != server {
                for port in ports {
                    for transport in port.transports {
                        book.add(port.number, transport, at: port.address, holder: "the server \(other)")
                    }
                }
            }
            let choice = try book.choose(from: groups, numbers: numbers)
            chosen[server] = choice
            return choice
        }
    }

    func release(_ server: ServerID) { chosen.withLock { $0[server] = nil } }
}

/// Table of ports in use and their holders, from which free ports are chosen.
struct PortAllocator {
    private struct Key: Hashable {
        let number: Int
        let transport: TransportProtocol
    }

    private struct Holding {
        let address: BoundAddress
        let holder: String
    }

    private typealias Book = [Key: [Holding]]

    /// Ports in use.
    private var used: Book = [:]
    /// Ports of servers that do not run; chosen only if no port group is entirely free.
    private var reserved: Book = [:]

    /// Records a port in use.
    ///
    /// `address`: address that the port is bound to; nil for all addresses of the host.
    mutating func add(_ number: Int, _ transport: TransportProtocol, at address: String? = nil, holder: String) {
        add(number, transport, at: BoundAddress(address), holder: holder)
    }

    mutating func add(_ number: Int, _ transport: TransportProtocol, at address: BoundAddress, holder: String) {
        used[Key(number: number, transport: transport), default: []].append(Holding(address: address, holder: holder))
    }

    mutating func reserve(_ number: Int, _ transport: TransportProtocol, at address: String? = nil, holder: String) {
        reserved[Key(number: number, transport: transport), default: []].append(
            Holding(address: BoundAddress(address), holder: holder))
    }

    private static func holder(
        of number: Int, _ transport: TransportProtocol, at address: String?, in book: Book
    ) -> String? {
        let wanted = BoundAddress(address)
        return book[Key(number: number, transport: transport)]?.first { $0.address.meets(wanted) }?.holder
    }

    struct Conflict: Error, CustomStringConvertible {
        let number: Int
        let transport: TransportProtocol
        let holder: String

        var description: String { "port \(number)/\(transport.rawValue) is held by \(holder)" }
    }

    /// Returns the first free group of ports; if there is none, the first group whose only holders are stopped servers.
    ///
    /// Throws `portInUse` if there is no such group either, `badArguments` if `numbers` contradict each other.
    ///
    /// `numbers`: port numbers that the owner has set, by the ports' names.
    func choose(from groups: [[PlanPort]], numbers: [String: Int]) throws -> [PlanPort] {
        let groups = groups.map { $0.numbered(numbers) }
        guard let first = groups.first else { return [] }
        try Self.checkDuplicates(first, numbers)
        if let free = groups.first(where: { conflict(of: $0, in: [used, reserved]) == nil }) { return free }
        if let free = groups.first(where: { conflict(of: $0, in: [used]) == nil }) { return free }
        throw ActionError(.portInUse, conflict(of: first, in: [used])?.description ?? "no port group is free")
    }

    /// Throws if the owner's numbers give two ports of the group the same number.
    private static func checkDuplicates(_ group: [PlanPort], _ numbers: [String: Int]) throws {
        for (index, port) in group.enumerated() where numbers[port.name] != nil {
            for (place, other) in group.enumerated() where place != index && other.number == port.number {
                let isShared = !Set(port.transports).isDisjoint(with: other.transports)
                guard isShared, BoundAddress(port.address).meets(BoundAddress(other.address)) else { continue }
                throw ActionError(.badArguments, "\(port.name) and \(other.name) cannot both be \(port.number)")
            }
        }
    }

    func holder(of ports: [ContainerSpec.PublishedPort]) -> Conflict? {
        for port in ports {
            if let holder = Self.holder(of: port.number, port.transport, at: port.address, in: used) {
                return Conflict(number: port.number, transport: port.transport, holder: holder)
            }
        }
        return nil
    }

    private func conflict(of group: [PlanPort], in books: [Book]) -> Conflict? {
        for port in group {
            for transport in port.transports {
                for book in books {
                    if let holder = Self.holder(of: port.number, transport, at: port.address, in: book) {
                        return Conflict(number: port.number, transport: transport, holder: holder)
                    }
                }
            }
        }
        return nil
    }
}

extension [PlanPort] {
    /// Returns the ports with the numbers that the owner has set, by the ports' names.
    func numbered(_ numbers: [String: Int]) -> [PlanPort] {
        map { port in
            var port = port
            port.number = numbers[port.name] ?? port.number
            return port
        }
    }
}
