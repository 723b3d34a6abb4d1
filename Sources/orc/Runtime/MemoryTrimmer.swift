import CMalloc
import FoundationEssentials
import Glibc
import ServiceLifecycle

/// Returns memory that the program needs no more to the kernel: once soon after the start, then at intervals.
///
/// This is free memory, and code: the program is large, and the kernel maps sixteen pages around each page that is
/// used. Pages that are needed again are mapped again, from the page cache.
struct MemoryTrimmer: Service {
    /// Seconds from the start to the first time, and between later times.
    private static let pauses = (first: 5, next: 15)

    func run() async {
        await cancelWhenGracefulShutdown {
            var pause = Self.pauses.first
            while !Task.isCancelled {
                do { try await Task.sleep(for: .seconds(pause)) } catch { return }
                // Read each time: an unloaded library's addresses may hold data now.
                Self.giveBack(Self.code(in: (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""))
                pause = Self.pauses.next
            }
        }
    }

    /// Makes threads share heaps: if there are many, each keeps free pieces that the others cannot use (mallopt(3)).
    ///
    /// With fewer than four heaps, threads wait for each other. Must be called before other threads are created.
    static func boundHeaps() { mallopt(M_ARENA_MAX, 4) }

    static func giveBack(_ mappings: [Range<UInt>]) {
        for mapping in mappings {
            // If the kernel refuses, the pages stay mapped.
            _ = madvise(UnsafeMutableRawPointer(bitPattern: mapping.lowerBound), mapping.count, MADV_DONTNEED)
        }
        // A heap keeps the size of its busiest time (malloc_trim(3)).
        malloc_trim(0)
    }

    /// Returns the mappings of files' code, every byte of which is in the files.
    ///
    /// `text`: the content of `/proc/self/maps` (proc_pid_maps(5)). Read-only data may have been written at the start
    /// (relocations), so it cannot be dropped; code is never written.
    static func code(in text: String) -> [Range<UInt>] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 6, words[1] == "r-xp", words[5].hasPrefix("/") else { return nil }
            let ends = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            return ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : nil
        }
    }
}
