import CMalloc
import FoundationEssentials
import Glibc
import ServiceLifecycle

/// Gives back what the program took to start and needs no more: a while after its start, and then now and then.
///
/// That is memory that is free, and code: the program is large, and the kernel maps sixteen pages of it wherever one is touched.
/// What is needed again is mapped again, from the page cache.
struct MemoryTrimmer: Service {
    /// Seconds from the start to the first time, and from then to each next one.
    private static let pauses = (first: 5, next: 60)

    func run() async {
        await cancelWhenGracefulShutdown {
            var pause = Self.pauses.first
            while !Task.isCancelled {
                do { try await Task.sleep(for: .seconds(pause)) } catch { return }
                // Asked each time: a library that is gone may have left its place to data.
                Self.giveBack(Self.code(in: (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""))
                pause = Self.pauses.next
            }
        }
    }

    /// Has threads share their heaps: of many, each keeps pieces that no other may use (mallopt(3)).
    ///
    /// For fewer than four they wait for each other. To be called before there are threads.
    static func boundHeaps() { mallopt(M_ARENA_MAX, 4) }

    static func giveBack(_ mappings: [Range<UInt>]) {
        for mapping in mappings {
            // Where the kernel does not want to, it stays as it is.
            _ = madvise(UnsafeMutableRawPointer(bitPattern: mapping.lowerBound), mapping.count, MADV_DONTNEED)
        }
        // A heap keeps what a busy time made of it (malloc_trim(3)).
        malloc_trim(0)
    }

    /// The mappings of files' code, of which the files hold every byte.
    ///
    /// `text`: of `/proc/self/maps` (proc_pid_maps(5)). What is only read may have been written at the start (relocations), and
    /// so is nobody's to drop; code never is.
    static func code(in text: String) -> [Range<UInt>] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard words.count == 6, words[1] == "r-xp", words[5].hasPrefix("/") else { return nil }
            let ends = words[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
            return ends.count == 2 && ends[0] < ends[1] ? ends[0]..<ends[1] : nil
        }
    }
}
