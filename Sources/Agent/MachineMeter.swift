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
        var askedAt = 0.0
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

    func usage() -> MachineUsage {
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
        usage.disks = disks
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
        // Inside a container none of its interfaces is the machine's own: then all of them are what it has.
        let bytes =
            KernelText.networkBytes(text, counts: isReal) ?? KernelText.networkBytes(text) { $0 != "lo" }
        (usage.networkReceivedBytes, usage.networkSentBytes) = (bytes?.received, bytes?.sent)
    }

    /// Whether an interface is none of the kernel's making: no bridge, no tunnel, no container's end.
    static func isReal(_ interface: Substring) -> Bool {
        access("/sys/class/net/\(interface)/device", F_OK) == 0
    }

    /// What was found when it was asked last, which is one interval ago; nothing where that gets no answer.
    private var disks: [MachineUsage.Disk] {
        let now = Monotonic.seconds
        let (disks, mayAsk) = state.withLock { state in
            defer {
                if !state.isAsking { state.askedAt = now }
                state.isAsking = true
            }
            return (state.isAsking && now - state.askedAt > 60 ? [] : state.disks, !state.isAsking)
        }
        if mayAsk { queue.async { self.ask() } }
        return disks
    }

    private func ask() {
        let disks = folders.compactMap { folder -> MachineUsage.Disk? in
            var status = statvfs()
            guard statvfs(folder.path, &status) == 0 else { return nil }
            // What is kept for root alone is nobody's to fill: as `df` counts.
            let used = Int(clamping: status.f_blocks - status.f_bfree)
            let available = Int(clamping: status.f_bavail)
            let unit = Int(clamping: status.f_frsize)
            return .init(
                folder: folder.name, totalBytes: (used + available) * unit, availableBytes: available * unit)
        }
        state.withLock { state in
            state.disks = disks
            state.isAsking = false
        }
    }

    /// Asks for the disks before the first reading, which would be without them.
    func begin() { _ = disks }
}
