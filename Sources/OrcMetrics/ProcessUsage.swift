import Glibc

/// Memory and CPU usage of this process.
package struct ProcessUsage {
    package let residentBytes: Int
    package let cpuSeconds: Double

    /// Returns the current usage; nil if it cannot be read from the kernel.
    package static func now() -> ProcessUsage? {
        var usage = rusage()  // 0 is RUSAGE_SELF, whose C type Swift does not accept
        guard getrusage(0, &usage) == 0, let pages = residentPages() else { return nil }
        let seconds = Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        let fraction = Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        return ProcessUsage(residentBytes: pages * sysconf(Int32(_SC_PAGESIZE)), cpuSeconds: seconds + fraction)
    }

    /// Returns the number of this process's resident memory pages: the second number of `/proc/self/statm` (proc(5)).
    private static func residentPages() -> Int? {
        guard let text = ProcFile.read("/proc/self/statm") else { return nil }
        let numbers = text.split(separator: " ")
        return numbers.count > 1 ? Int(numbers[1]) : nil
    }
}

/// Reads kernel files, which do not state their size before they are read.
package enum ProcFile {
    package static func read(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 * 1024)
        while true {
            let count = Glibc.read(file, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { return nil }  // the process or group that it describes is gone
            guard count > 0 else { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(contentsOf: chunk[..<count])
        }
    }
}
