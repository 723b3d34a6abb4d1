import Glibc
package import OrcContract
import OrcCore

/// Reads a container's usage directly from the kernel: its control groups and its network counters.
///
/// This costs the engine nothing, and the agent about 0.1 ms. The agent must see the host's processes and control
/// groups; an agent that runs in a container does not.
package struct CgroupSampler: Sendable {
    private let groups: CgroupMounts
    private let machineMemory: Int?
    private let read: @Sendable (String) -> String?

    /// `read`: returns the text of a kernel file.
    package init(read: @escaping @Sendable (String) -> String? = ProcFile.read) {
        self.read = read
        groups = CgroupMounts(mountInfo: read("/proc/self/mountinfo") ?? "")
        machineMemory = ProcParser.number("MemTotal", in: read("/proc/meminfo")).map { $0 * 1024 }
    }

    /// A container to read.
    package struct Container: Sendable {
        let id: String
        /// Process ID of the container's first process.
        let process: Int
        /// True if its interfaces carry only its own traffic.
        let hasOwnNetwork: Bool

        package init(id: String, process: Int, hasOwnNetwork: Bool) {
            self.id = id
            self.process = process
            self.hasOwnNetwork = hasOwnNetwork
        }
    }

    /// Returns a container's usage; nil if the kernel does not show it to this process.
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

    /// Returns the container's limit in bytes, or the host's memory if there is no limit or a larger one.
    private func limit(_ own: Int?) -> Int? {
        guard let machineMemory else { return own }
        return min(own ?? machineMemory, machineMemory)
    }
}
