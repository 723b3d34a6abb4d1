import CMalloc
import FoundationEssentials
import Glibc
import ServiceLifecycle

/// Gives unused memory back to the kernel, first soon after the start and then at intervals.
///
/// This includes free heap memory and pages of code: the program is large, and the kernel maps sixteen pages around
/// each page that is used. Code pages that are needed again are mapped again from the page cache.
struct MemoryTrimmer: Service {
    /// Seconds from the start to the first release of memory, and between later releases.
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

    /// Limits the number of heaps to four, so that threads share heaps (mallopt(3)).
    ///
    /// Each further heap would keep free memory that threads of other heaps cannot use; with fewer than four heaps,
    /// threads wait for each other. Must be called before other threads are created.
    static func boundHeaps() { mallopt(M_ARENA_MAX, 4) }

    static func giveBack(_ mappings: [Range<UInt>]) {
        for mapping in mappings {
            // If the kernel refuses, the pages stay mapped.
            _ = madvise(UnsafeMutableRawPointer(bitPattern: mapping.lowerBound), mapping.count, MADV_DONTNEED)
        }
        // A heap keeps the size of its busiest time (malloc_trim(3)).
        malloc_trim(0)
    }

    /// Returns the address ranges of code that is mapped from files, and so can be read from these files again.
    ///
    /// `text`: the content of `/proc/self/maps` (proc_pid_maps(5)). Read-only data may have been written at the start
    /// (relocations), so it cannot be dropped; code is never written. A file that an upgrade replaced is included
    /// (" (deleted)"): its content can be read until it is no longer mapped (unlink(2)).
    static func code(in text: String) -> [Range<UInt>] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count >= 6, words[1] == "r-xp", words[5].hasPrefix("/") else { return nil }
            let ends = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            return ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : nil
        }
    }
}
