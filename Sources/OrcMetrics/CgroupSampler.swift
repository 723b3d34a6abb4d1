import Glibc
package import OrcContract
import OrcCore

/// Reads a container's usage directly from the kernel: from its control groups and its network counters.
///
/// This takes the agent about 0.1 ms and causes no work for the container engine. The agent must be able to see the
/// host's processes and control groups, which is not the case if the agent itself runs in a container.
package struct CgroupSampler: Sendable {
    private let groups: CgroupMounts
    private let machineMemory: Int?
    private let read: @Sendable (String) -> String?

    /// `read`: returns the text of the kernel file at a path; nil if the file cannot be read.
    package init(read: @escaping @Sendable (String) -> String? = ProcFile.read) {
        self.read = read
        groups = CgroupMounts(mountInfo: read("/proc/self/mountinfo") ?? "")
        machineMemory = ProcParser.number("MemTotal", in: read("/proc/meminfo")).map { $0 * 1024 }
    }

    /// A container whose usage is to be read.
    package struct Container: Sendable {
        let id: String
        /// Process ID of the container's first process.
        let process: Int
        /// True if the container has network interfaces of its own, which carry only its own traffic.
        let hasOwnNetwork: Bool

        package init(id: String, process: Int, hasOwnNetwork: Bool) {
            self.id = id
            self.process = process
            self.hasOwnNetwork = hasOwnNetwork
        }
    }

    /// Returns a container's usage; nil if this process cannot read it from the kernel's files.
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

    /// Returns the container's memory limit in bytes, but at most the host's memory; `own`: nil if there is no limit.
    private func limit(_ own: Int?) -> Int? {
        guard let machineMemory else { return own }
        return min(own ?? machineMemory, machineMemory)
    }
}
