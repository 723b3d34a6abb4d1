import Dispatch
import Glibc
import Peon
import Synchronization

/// Reads how the machine itself fares, from the kernel's files.
final class MachineMeter: Sendable {
    /// Of each folder that is watched: what it is called, and where it is.
    private let folders: [(name: String, path: String)]
    private let read: @Sendable (String) -> String?
    private let isReal: @Sendable (Substring) -> Bool
    /// A file system that does not answer (one of a network's) holds up this alone.
    private let queue = DispatchQueue(label: "orc.disks", qos: .utility)
    private let state = Mutex(State())

    private struct State {
        var disks: [MachineUsage.Disk] = []
        var isAsking = false
    }

    /// `read`: the text of a file of the kernel's; `isReal`: whether a network interface is the machine's own.
    init(
        folders: [(name: String, path: String)], read: @escaping @Sendable (String) -> String? = ProcFile.read,
        isReal: @escaping @Sendable (Substring) -> Bool = MachineMeter.isReal
    ) {
        self.folders = folders
        self.read = read
        self.isReal = isReal
    }

    func usage() async -> MachineUsage {
        var usage = MachineUsage(readAt: Monotonic.seconds)
        addProcessors(to: &usage)
        addMemory(to: &usage)
        usage.load = read("/proc/loadavg").map { $0.split(separator: " ").prefix(3).compactMap { Double($0) } }
        if usage.load?.count != 3 { usage.load = nil }
        let waits = ["cpu", "memory", "io"].map { KernelText.pressure(read("/proc/pressure/\($0)")) }
        if waits.contains(where: { $0 != nil }) {
            usage.pressure = .init(cpu: waits[0], memory: waits[1], io: waits[2])
        }
        addNetwork(to: &usage)
        usage.uptime = read("/proc/uptime").flatMap { $0.split(separator: " ").first.flatMap { Double($0) } }
        usage.disks = await disks()
        return usage
    }

    /// `cpu  user nice system idle iowait irq softirq steal guest guest_nice` (proc_stat(5)); a guest's time is the user's.
    private func addProcessors(to usage: inout MachineUsage) {
        guard let text = read("/proc/stat") else { return }
        let lines = text.split(separator: "\n").prefix { $0.hasPrefix("cpu") }
        let numbers = (lines.first ?? "").split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
        guard numbers.count == 8 else { return }
        usage.cpus = lines.count - 1
        let total = numbers.reduce(0, +)
        usage.cpuTotal = total
        usage.cpuBusy = total - numbers[3] - numbers[4]
    }

    private func addMemory(to usage: inout MachineUsage) {
        let text = read("/proc/meminfo")
        func bytes(_ key: String) -> Int? { KernelText.number(key, in: text).map { $0 * 1024 } }
        usage.memoryTotalBytes = bytes("MemTotal")
        usage.memoryAvailableBytes = bytes("MemAvailable")
        usage.swapTotalBytes = bytes("SwapTotal")
        usage.swapFreeBytes = bytes("SwapFree")
    }

    private func addNetwork(to usage: inout MachineUsage) {
        let text = read("/proc/self/net/dev")
        // Inside a container none of its interfaces is the machine's own: then those count that lead to no other one.
        let bytes =
            KernelText.networkBytes(text, counts: isReal)
            ?? KernelText.networkBytes(text) { name in
                name != "lo" && !["veth", "docker", "br-", "cni", "podman", "virbr"].contains { name.hasPrefix($0) }
            }
        (usage.networkReceivedBytes, usage.networkSentBytes) = (bytes?.received, bytes?.sent)
    }

    /// Whether an interface is none of the kernel's making: no bridge, no tunnel, no container's end.
    static func isReal(_ interface: Substring) -> Bool {
        access("/sys/class/net/\(interface)/device", F_OK) == 0
    }

    /// Nothing where they do not answer within a second.
    private func disks() async -> [MachineUsage.Disk] {
        let mayAsk = state.withLock { state in
            defer { state.isAsking = true }
            return !state.isAsking
        }
        if mayAsk { queue.async { self.ask() } }
        for _ in 0..<100 {
            if let disks = state.withLock({ $0.isAsking ? nil : $0.disks }) { return disks }
            do { try await Task.sleep(for: .milliseconds(10)) } catch { break }
        }
        return []
    }

    private func ask() {
        let disks = folders.compactMap { folder -> MachineUsage.Disk? in
            var status = statvfs()
            guard statvfs(folder.path, &status) == 0 else { return nil }
            return Self.disk(folder.name, status)
        }
        state.withLock { state in
            state.disks = disks
            state.isAsking = false
        }
    }

    /// What is kept for root alone is nobody's to fill: as `df` counts. Nil for numbers that cannot be, which some file
    /// systems of a network tell.
    private static func disk(_ name: String, _ status: statvfs) -> MachineUsage.Disk? {
        guard status.f_blocks >= status.f_bfree, let used = Int(exactly: status.f_blocks - status.f_bfree),
            let available = Int(exactly: status.f_bavail), let unit = Int(exactly: status.f_frsize)
        else { return nil }
        let (total, isTooMany) = used.addingReportingOverflow(available)
        let (bytes, isTooLarge) = total.multipliedReportingOverflow(by: unit)
        guard !isTooMany, !isTooLarge else { return nil }
        return .init(folder: name, totalBytes: bytes, availableBytes: available * unit)
    }
}
