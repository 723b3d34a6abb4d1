import Glibc
import OrcCore
package import OrcEngine

/// One port of a plan: the variable that carries its number, and how it is published.
package struct PlanPort: Sendable, Equatable {
    package let name: String
    package var number: Int
    /// The protocol as written in the plan: `tcp`, `udp`, or any other word, which stands for both protocols.
    package let word: String
    /// The host's address at which the port is published; nil for all addresses.
    package var address: String?

    package var transports: [TransportProtocol] {
        TransportProtocol(rawValue: word).map { [$0] } ?? TransportProtocol.allCases
    }

    /// The meaning of a plan's port groups: one group is chosen, or all groups are used together.
    package enum PortGroupMode: String, Sendable { case alternatives, together }

    /// Parses `ports`: a list of groups, or the one group of a `config.json`.
    static func groups(_ value: JSON, arrangement: PortGroupMode?, file: String) throws(PlanError) -> [[PlanPort]] {
        if value.isNull { return [] }
        guard let list = value.array else { throw .malformed(file: file, what: "ports is not a list") }
        var groups: [[PlanPort]] = []
        if list.contains(where: { $0.object != nil }) {
            groups = [try group(list, file: file)]
        } else {
            for element in list {
                guard let group = element.array else {
                    throw .malformed(file: file, what: "a port group is not a list")
                }
                groups.append(try self.group(group, file: file))
            }
        }
        switch arrangement {
        case .alternatives: return groups
        case .together: return [joined(groups)]
        case nil: return isOneServersRun(groups) ? [joined(groups)] : groups
        }
    }

    private static func group(_ elements: [JSON], file: String) throws(PlanError) -> [PlanPort] {
        var ports: [PlanPort] = []
        for element in elements {
            guard let members = element.object?.members else {
                throw .malformed(file: file, what: "a port is not an object")
            }
            for (name, value) in members {
                guard let words = value.array, (2...3).contains(words.count), let word = words[1].string,
                    let number = words[0].int ?? words[0].string.flatMap({ Int($0) }), (1...65535).contains(number)
                else { throw .malformed(file: file, what: "port \(name) needs [\"number\", \"protocol\"]") }
                let address = words.count == 3 ? words[2].string : nil
                guard words.count == 2 || address.map(isAddress) == true else {
                    throw .malformed(file: file, what: "port \(name) has a third element that is no IP address")
                }
                ports.append(PlanPort(name: name, number: number, word: word, address: address))
            }
        }
        return ports
    }

    private static func isAddress(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1
    }

    /// Returns true if the groups together are the ports of one server, and not alternatives.
    ///
    /// This is the case for three or more groups that contain one port each, with the same name and consecutive
    /// numbers:
    /// Valheim's plan lists 2456, 2457 and 2458 in this form.
    private static func isOneServersRun(_ groups: [[PlanPort]]) -> Bool {
        let singles = groups.compactMap { $0.count == 1 ? $0[0] : nil }
        guard singles.count == groups.count, singles.count >= 3 else { return false }
        return zip(singles, singles.dropFirst()).allSatisfy { $1.number == $0.number + 1 && $1.name == $0.name }
    }

    /// Merges all groups into one.
    ///
    /// If several ports have the same name, the first port keeps the name, and so its variable. The name of each later
    /// port gets the number of its group as a suffix.
    private static func joined(_ groups: [[PlanPort]]) -> [PlanPort] {
        var joined: [PlanPort] = []
        for (index, group) in groups.enumerated() {
            for port in group {
                let isTaken = index > 0 && joined.contains { $0.name == port.name }
                joined.append(
                    PlanPort(
                        name: isTaken ? "\(port.name)_\(index + 1)" : port.name, number: port.number, word: port.word,
                        address: port.address))
            }
        }
        return joined
    }

    /// Returns a group in the form of `config.json`.
    static func json(_ group: [PlanPort]) -> JSON {
        .array(
            group.map { port in
                let words = [String(port.number), port.word] + (port.address.map { [$0] } ?? [])
                return .object([port.name: .array(words.map(JSON.string))])
            })
    }
}
