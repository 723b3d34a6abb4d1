import Dispatch
import FoundationEssentials
import Glibc
package import OrcContract
import OrcCore
import Synchronization

/// Reads the host's usage of CPU, memory, network and disks from the kernel.
package final class HostSampler: Sendable {
    private let folders: [DiskMeter]
    private let read: @Sendable (String) -> String?
    private let isReal: @Sendable (Substring) -> Bool
    /// True if this process runs in a container, where the visible network interfaces may not be the host's.
    private let isContained: Bool

    /// `folders`: names and paths of the folders whose file systems are measured.
    ///
    /// `read`: returns the text of the kernel file at a path; nil if the file cannot be read.
    ///
    /// `isReal`: returns true for the name of a hardware network interface.
    ///
    /// `isContained`: true if this process runs in a container.
    package init(
        folders: [(name: String, path: String)], read: @escaping @Sendable (String) -> String? = ProcFile.read,
        isReal: @escaping @Sendable (Substring) -> Bool = HostSampler.isReal,
        isContained: Bool = HostSampler.isContained
    ) {
        self.folders = folders.map { DiskMeter(name: $0.name, path: $0.path) }
        self.read = read
        self.isReal = isReal
        self.isContained = isContained
    }

    package func usage() async -> HostUsage {
        var usage = HostUsage(readAt: MonotonicClock.seconds)
        let processors = read("/proc/stat")
        addProcessors(processors, to: &usage)
        addMemory(to: &usage)
        usage.load = read("/proc/loadavg").map { $0.split(separator: " ").prefix(3).compactMap { Double($0) } }
        if usage.load?.count != 3 { usage.load = nil }
        let waits = ["cpu", "memory", "io"].map { ProcParser.pressure(read("/proc/pressure/\($0)")) }
        if waits.contains(where: { $0 != nil }) {
            usage.pressure = .init(cpu: waits[0], memory: waits[1], io: waits[2])
        }
        addNetwork(to: &usage)
        usage.uptime = read("/proc/uptime").flatMap { $0.split(separator: " ").first.flatMap { Double($0) } }
        // Unlike the uptime, btime does not grow; setting the clock may change both btime and the current time.
        usage.startedAt = ProcParser.number("btime", in: processors).map {
            Date(timeIntervalSince1970: Double($0))
        }
        for folder in folders {
            if let disk = await folder.disk() { usage.disks.append(disk) }
        }
        return usage
    }

    /// Adds the number of CPUs and their total and busy times, from `/proc/stat` (proc_stat(5)).
    ///
    /// The format of the line is `cpu  user nice system idle iowait irq softirq steal guest guest_nice`. `guest` is not
    /// added, because `user` includes that time.
    private func addProcessors(_ text: String?, to usage: inout HostUsage) {
        guard let text else { return }
        let lines = text.split(separator: "\n").prefix { $0.hasPrefix("cpu") }
        let numbers = (lines.first ?? "").split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
        guard numbers.count == 8 else { return }
        usage.cpus = lines.count - 1
        let total = numbers.reduce(0, +)
        usage.cpuTotal = total
        usage.cpuBusy = total - numbers[3] - numbers[4]
    }

    private func addMemory(to usage: inout HostUsage) {
        let text = read("/proc/meminfo")
        func bytes(_ key: String) -> Int? { ProcParser.number(key, in: text).map { $0 * 1024 } }
        usage.memoryTotalBytes = bytes("MemTotal")
        usage.memoryAvailableBytes = bytes("MemAvailable")
        usage.swapTotalBytes = bytes("SwapTotal")
        usage.swapFreeBytes = bytes("SwapFree")
    }

    private func addNetwork(to usage: inout HostUsage) {
        // Process 1 of the host is in the host's own network; an agent in a container sees it only if the container may
        // see the host's processes.
        let own = read("/proc/self/net/dev")
        let text = read("/proc/1/net/dev") ?? own
        if isContained, ProcParser.interfaces(text) == ProcParser.interfaces(own) { return }
        // A host that is itself a container has no real interfaces, and a container may not see those of its host: then
        // all interfaces count that do not lead to another one.
        let bytes =
            ProcParser.networkBytes(text, counts: isReal)
            ?? ProcParser.networkBytes(text) { name in
                name != "lo" && !name.contains(".") && !Self.virtual.contains { name.hasPrefix($0) }
            }
        (usage.networkReceivedBytes, usage.networkSentBytes) = (bytes?.received, bytes?.sent)
    }

    /// True if this process runs in a container of Docker or Podman.
    ///
    /// A marker file alone is no proof, because a host's disk may have been created from a container image that
    /// contains it.
    private static var isContained: Bool {
        guard access("/.dockerenv", F_OK) == 0 || access("/run/.containerenv", F_OK) == 0 else { return false }
        return (ProcFile.read("/proc/self/mountinfo") ?? "").split(separator: "\n").contains { line in
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count, fields.count > 4 else { return false }
            return fields[4] == "/" && fields[dash + 1].contains("overlay")
        }
    }

    /// Name prefixes of virtual network interfaces, whose traffic also passes through other interfaces.
    private static let virtual = [
        "veth", "docker", "br", "cni", "podman", "virbr", "vmbr", "bond", "team", "dummy", "vlan", "wg", "tun", "tap",
        "tailscale", "zt", "vnet", "cali", "flannel", "lxc",
    ]

    /// True if a network interface belongs to a device, unlike a bridge, a tunnel or a container's virtual interface.
    ///
    /// False if the interface's master also belongs to a device, as with Hyper-V's accelerated networking: the master
    /// counts the traffic of both (Linux, Documentation/networking/netvsc.rst).
    package static func isReal(_ interface: Substring) -> Bool {
        let folder = "/sys/class/net/\(interface)"
        return access("\(folder)/device", F_OK) == 0 && access("\(folder)/master/device", F_OK) != 0
    }
}

/// Reads the usage of a file system on a separate thread, so that an unresponsive file system blocks nothing else.
private final class DiskMeter: Sendable {
    private let name: String
    private let path: String
    private let queue = DispatchQueue(label: "orc.disk", qos: .utility)
    private let state = Mutex(State())

    private struct State {
        var disk: HostUsage.Disk?
        var isAsking = false
    }

    package init(name: String, path: String) {
        self.name = name
        self.path = path
    }

    /// Returns the file system's usage; nil if it does not respond within a second.
    ///
    /// Also nil while an earlier request is still unanswered.
    package func disk() async -> HostUsage.Disk? {
        let mayAsk = state.withLock { state in
            defer { state.isAsking = true }
            return !state.isAsking
        }
        guard mayAsk else { return nil }
        queue.async { self.ask() }
        for _ in 0..<100 {
            if let answer = state.withLock({ $0.isAsking ? nil : Answer(disk: $0.disk) }) { return answer.disk }
            do { try await Task.sleep(for: .milliseconds(10)) } catch { break }
        }
        return nil
    }

    private struct Answer { let disk: HostUsage.Disk? }

    private func ask() {
        var status = statvfs()
        let disk = statvfs(path, &status) == 0 ? Self.disk(name, status) : nil
        state.withLock { state in
            state.disk = disk
            state.isAsking = false
        }
    }

    /// Calculates a file system's size and free space as `df` does, without the blocks that are reserved for root.
    ///
    /// Nil if the numbers are impossible, as with some network file systems.
    private static func disk(_ name: String, _ status: statvfs) -> HostUsage.Disk? {
        guard status.f_blocks >= status.f_bfree, let used = Int(exactly: status.f_blocks - status.f_bfree),
            let available = Int(exactly: status.f_bavail), let unit = Int(exactly: status.f_frsize)
        else { return nil }
        let (total, isTooMany) = used.addingReportingOverflow(available)
        let (bytes, isTooLarge) = total.multipliedReportingOverflow(by: unit)
        guard !isTooMany, !isTooLarge else { return nil }
        return .init(folder: name, totalBytes: bytes, availableBytes: available * unit)
    }
}
