import OrcContract
import OrcEngine
import OrcPlans

/// Collects the ports held on the host: by containers, by servers and by other processes.
struct PortSurvey: Sendable {
    let engine: any ContainerEngine
    let registry: ServerRegistry

    /// Returns the ports in use and their holders, without the ports that `server` itself holds.
    func allocator(for server: ServerID) async throws -> PortAllocator {
        var book = PortAllocator()
        let containers = try await engine.containers()
        let servers = registry.all
        for container in containers where container.name != ServerConfig.containerName(server) {
            let own = servers.first { ServerConfig.containerName($0.id) == container.name }
            let holder = own.map { "the server \($0.id)" } ?? "the container \(container.name ?? container.id)"
            for port in container.ports {
                guard let transport = TransportProtocol(rawValue: port.transport) else { continue }
                book.add(port.number, transport, at: port.address, holder: holder)
            }
        }
        for other in servers where other.id != server {
            for port in other.config?.publishedPorts ?? [] {
                // A server that is starting counts as using its ports.
                if other.operation.step == .starting || other.isRunning {
                    book.add(port.number, port.transport, at: port.address, holder: "the server \(other.id)")
                } else {
                    book.reserve(port.number, port.transport, at: port.address, holder: "the server \(other.id)")
                }
            }
        }
        for (number, transport, address) in BoundPorts.bound() {
            book.add(number, transport, at: address, holder: "a process of the host")
        }
        return book
    }
}
