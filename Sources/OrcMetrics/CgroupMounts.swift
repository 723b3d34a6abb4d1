/// Where this machine's control groups are to be found, of version 1 and 2 (cgroups(7)).
struct CgroupMounts: Sendable {
    private let mounts: [Mount]

    private struct Mount {
        /// The group that shows at `point`: that of the whole machine, unless only a part is shown.
        let root: Substring
        let point: Substring
        /// Nil for version 2, where all are in one place.
        let controllers: [Substring]?
    }

    /// `mountInfo`: the text of `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
    init(mountInfo: String) {
        mounts = mountInfo.split(separator: "\n").compactMap { line in
            let fields = line.split(separator: " ")
            guard let dash = fields.firstIndex(of: "-"), dash >= 6, fields.count > dash + 3 else { return nil }
            switch fields[dash + 1] {
            case "cgroup":
                return Mount(
                    root: fields[3], point: fields[4], controllers: fields[dash + 3].split(separator: ","))
            case "cgroup2": return Mount(root: fields[3], point: fields[4], controllers: nil)
            default: return nil
            }
        }
    }

    /// The folders of one container's groups.
    struct Membership {
        fileprivate let paths: [(controllers: [Substring], path: Substring)]
        private let groups: CgroupMounts

        fileprivate init(_ paths: [(controllers: [Substring], path: Substring)], _ groups: CgroupMounts) {
            self.paths = paths
            self.groups = groups
        }

        /// The folder of a controller of version 1; nil where it is not there.
        func folder(of controller: String) -> String? {
            guard let path = paths.first(where: { $0.controllers.contains(controller[...]) })?.path else { return nil }
            return groups.folder(path) { $0.controllers?.contains(controller[...]) == true }
        }

        /// The folder of version 2.
        var unified: String? {
            guard let path = paths.first(where: { $0.controllers.isEmpty })?.path else { return nil }
            return groups.folder(path) { $0.controllers == nil }
        }
    }

    /// Reads which groups a process is in, of those that are `container`'s; nil where it is in none.
    ///
    /// `text`: of `/proc/<pid>/cgroup`. Every engine's groups bear the container's id, sixty-four hexadecimal digits: a
    /// process of another machine's, or that has the number by now, is not mistaken for one of the container's.
    func membership(_ text: String, of container: String) -> Membership? {
        guard container.utf8.count == 64 else { return nil }
        let paths = text.split(separator: "\n").compactMap { line -> (controllers: [Substring], path: Substring)? in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, let id = fields[2].firstRange(of: container) else { return nil }
            // Processes may have made groups of their own below; what lies outside a namespace is not to be found.
            let path = fields[2][..<(fields[2][id.upperBound...].firstIndex(of: "/") ?? fields[2].endIndex)]
            guard !path.split(separator: "/").contains("..") else { return nil }
            return (fields[1].split(separator: ","), path)
        }
        return paths.isEmpty ? nil : Membership(paths, self)
    }

    private func folder(_ path: Substring, where isRight: (Mount) -> Bool) -> String? {
        for mount in mounts where isRight(mount) {
            if mount.root == "/" { return "\(mount.point)\(path)" }
            if path.hasPrefix(mount.root + "/") { return "\(mount.point)\(path.dropFirst(mount.root.count))" }
        }
        return nil
    }
}
