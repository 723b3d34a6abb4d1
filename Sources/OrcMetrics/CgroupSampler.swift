import Glibc
package import OrcContract
import OrcCore

/// Reads what a container uses from the kernel itself: its control groups, and the counters of its network.
///
/// It costs the engine nothing, and the agent some 0.1 ms; it takes an agent that sees the machine's processes and control
/// groups, which one in a container of its own does not.
package struct CgroupSampler: Sendable {
    private let groups: CgroupMounts
    private let machineMemory: Int?
    private let read: @Sendable (String) -> String?

    /// `read`: the text of a file of the kernel's.
    package init(read: @escaping @Sendable (String) -> String? = ProcFile.read) {
        self.read = read
        groups = CgroupMounts(mountInfo: read("/proc/self/mountinfo") ?? "")
        machineMemory = ProcParser.number("MemTotal", in: read("/proc/meminfo")).map { $0 * 1024 }
    }

    /// What the kernel is asked for.
    package struct Container: Sendable {
        let id: String
        /// Of its first process.
        let process: Int
        /// Whether what goes through its interfaces is its own alone.
        let hasOwnNetwork: Bool

        package init(id: String, process: Int, hasOwnNetwork: Bool) {
            self.id = id
            self.process = process
            self.hasOwnNetwork = hasOwnNetwork
        }
    }

    /// Nil where the kernel does not show it to this process.
    package func usage(of container: Container, run: String) -> ResourceUsage? {
        let process = container.process
        guard let membership = read("/proc/\(process)/cgroup").flatMap({ groups.membership($0, of: container.id) })
        else { return nil }
        var usage = ResourceUsage(source: .kernel, run: run, readAt: MonotonicClock.seconds)
        if let processor = membership.folder(of: "cpuacct") {
            usage.cpuSeconds = ProcParser.number(read("\(processor)/cpuacct.usage")).map { Double($0) / 1e9 }
            addFirstVersion(membership, to: &usage)
        } else if let folder = membership.unified {
            let processor = read("\(folder)/cpu.stat")
            usage.cpuSeconds = ProcParser.number("usage_usec", in: processor).map { Double($0) / 1e6 }
            addSecondVersion(folder, to: &usage)
        }
        guard usage.cpuSeconds != nil else { return nil }
        if container.hasOwnNetwork {
            let bytes = ProcParser.networkBytes(read("/proc/\(process)/net/dev")) { $0 != "lo" }
            (usage.networkReceivedBytes, usage.networkSentBytes) = (bytes?.received, bytes?.sent)
        }
        return usage
    }

    private func addFirstVersion(_ membership: CgroupMounts.Membership, to usage: inout ResourceUsage) {
        if let folder = membership.folder(of: "memory") {
            usage.memoryBytes = ResourceUsage.memory(
                ProcParser.number(read("\(folder)/memory.usage_in_bytes")),
                inactiveFile: ProcParser.number("total_inactive_file", in: read("\(folder)/memory.stat")))
            usage.memoryLimitBytes = limit(ProcParser.number(read("\(folder)/memory.limit_in_bytes")))
        }
        if let folder = membership.folder(of: "blkio") {
            let bytes = ProcParser.blockBytes(
                read("\(folder)/blkio.throttle.io_service_bytes_recursive")
                    ?? read("\(folder)/blkio.throttle.io_service_bytes"))
            (usage.diskReadBytes, usage.diskWrittenBytes) = (bytes?.read, bytes?.written)
        }
        if let folder = membership.folder(of: "pids") {
            usage.processes = ProcParser.number(read("\(folder)/pids.current"))
        }
    }

    private func addSecondVersion(_ folder: String, to usage: inout ResourceUsage) {
        usage.memoryBytes = ResourceUsage.memory(
            ProcParser.number(read("\(folder)/memory.current")),
            inactiveFile: ProcParser.number("inactive_file", in: read("\(folder)/memory.stat")))
        usage.memoryLimitBytes = limit(ProcParser.number(read("\(folder)/memory.max")))
        let bytes = ProcParser.ioBytes(read("\(folder)/io.stat"))
        (usage.diskReadBytes, usage.diskWrittenBytes) = (bytes?.read, bytes?.written)
        usage.processes = ProcParser.number(read("\(folder)/pids.current"))
    }

    /// No limit, or one that is larger than the machine, is the machine.
    private func limit(_ own: Int?) -> Int? {
        guard let machineMemory else { return own }
        return min(own ?? machineMemory, machineMemory)
    }
}
