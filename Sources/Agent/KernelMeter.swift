import Docker
import Glibc
import Peon

/// Reads what a container uses from the kernel itself: its control groups, and the counters of its network.
///
/// It costs the engine nothing, and the agent some 0.1 ms; it takes an agent that sees the machine's processes and control
/// groups, which one in a container of its own does not.
struct KernelMeter: Sendable {
    private let groups: ControlGroups
    private let machineMemory: Int?
    private let read: @Sendable (String) -> String?

    /// `read`: the text of a file of the kernel's.
    init(read: @escaping @Sendable (String) -> String? = ProcFile.read) {
        self.read = read
        groups = ControlGroups(mountInfo: read("/proc/self/mountinfo") ?? "")
        machineMemory = KernelText.number("MemTotal", in: read("/proc/meminfo")).map { $0 * 1024 }
    }

    /// Nil where the kernel does not show it to this process.
    func usage(of container: ContainerDetail, run: String) -> Usage? {
        guard let process = container.state.processID, process > 0,
            let membership = read("/proc/\(process)/cgroup").flatMap({ groups.membership($0, of: container.id) })
        else { return nil }
        var usage = Usage(source: .kernel, run: run, readAt: Monotonic.seconds)
        if let processor = membership.folder(of: "cpuacct") {
            usage.cpuSeconds = KernelText.number(read("\(processor)/cpuacct.usage")).map { Double($0) / 1e9 }
            addFirstVersion(membership, to: &usage)
        } else if let folder = membership.unified {
            let processor = read("\(folder)/cpu.stat")
            usage.cpuSeconds = KernelText.number("usage_usec", in: processor).map { Double($0) / 1e6 }
            addSecondVersion(folder, to: &usage)
        }
        guard usage.cpuSeconds != nil else { return nil }
        if hasOwnNetwork(container) {
            let bytes = KernelText.networkBytes(read("/proc/\(process)/net/dev")) { $0 != "lo" }
            (usage.networkReceivedBytes, usage.networkSentBytes) = (bytes?.received, bytes?.sent)
        }
        return usage
    }

    private func addFirstVersion(_ membership: ControlGroups.Membership, to usage: inout Usage) {
        if let folder = membership.folder(of: "memory") {
            usage.memoryBytes = Usage.memory(
                KernelText.number(read("\(folder)/memory.usage_in_bytes")),
                inactiveFile: KernelText.number("total_inactive_file", in: read("\(folder)/memory.stat")))
            usage.memoryLimitBytes = limit(KernelText.number(read("\(folder)/memory.limit_in_bytes")))
        }
        if let folder = membership.folder(of: "blkio") {
            let bytes = KernelText.blockBytes(
                read("\(folder)/blkio.throttle.io_service_bytes_recursive")
                    ?? read("\(folder)/blkio.throttle.io_service_bytes"))
            (usage.diskReadBytes, usage.diskWrittenBytes) = (bytes?.read, bytes?.written)
        }
        if let folder = membership.folder(of: "pids") {
            usage.processes = KernelText.number(read("\(folder)/pids.current"))
        }
    }

    private func addSecondVersion(_ folder: String, to usage: inout Usage) {
        usage.memoryBytes = Usage.memory(
            KernelText.number(read("\(folder)/memory.current")),
            inactiveFile: KernelText.number("inactive_file", in: read("\(folder)/memory.stat")))
        usage.memoryLimitBytes = limit(KernelText.number(read("\(folder)/memory.max")))
        let bytes = KernelText.ioBytes(read("\(folder)/io.stat"))
        (usage.diskReadBytes, usage.diskWrittenBytes) = (bytes?.read, bytes?.written)
        usage.processes = KernelText.number(read("\(folder)/pids.current"))
    }

    /// No limit, or one that is larger than the machine, is the machine.
    private func limit(_ own: Int?) -> Int? {
        guard let machineMemory else { return own }
        return min(own ?? machineMemory, machineMemory)
    }

    /// Whether what goes through its interfaces is its own alone.
    private func hasOwnNetwork(_ container: ContainerDetail) -> Bool {
        let mode = container.hostConfig.networkMode ?? ""
        return mode != "host" && !mode.hasPrefix("container:") && !mode.hasPrefix("ns:")
    }
}

/// A clock that nobody sets (clock_gettime(2), CLOCK_MONOTONIC).
enum Monotonic {
    static var seconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}
