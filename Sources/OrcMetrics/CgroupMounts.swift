/// Locates the mounted control group hierarchies of this host, version 1 and 2 (cgroups(7)).
struct CgroupMounts: Sendable {
    private let mounts: [Mount]

    private struct Mount {
        /// Path, in the hierarchy, of the group mounted at `point`; `/` unless only a part of the hierarchy is mounted.
        let root: Substring
        let point: Substring
        /// The controllers of a version 1 hierarchy; nil for version 2, which has one hierarchy for all controllers.
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

    /// The control groups of one container, with their folders.
    struct Membership {
        fileprivate let paths: [(controllers: [Substring], path: Substring)]
        private let groups: CgroupMounts

        fileprivate init(_ paths: [(controllers: [Substring], path: Substring)], _ groups: CgroupMounts) {
            self.paths = paths
            self.groups = groups
        }

        /// Returns the folder of the container's group for a version 1 controller; nil if there is no such group.
        func folder(of controller: String) -> String? {
            guard let path = paths.first(where: { $0.controllers.contains(controller[...]) })?.path else { return nil }
            return groups.folder(path) { $0.controllers?.contains(controller[...]) == true }
        }

        /// The folder of the container's group in the version 2 hierarchy; nil if there is no such group.
        var unified: String? {
            guard let path = paths.first(where: { $0.controllers.isEmpty })?.path else { return nil }
            return groups.folder(path) { $0.controllers == nil }
        }
    }

    /// Returns those of `container`'s control groups that a process belongs to; nil if it belongs to none.
    ///
    /// `text`: the content of the process's `/proc/<pid>/cgroup`; `container`: the container's id of 64 hexadecimal
    /// digits. Every engine puts this id into the names of the groups. So a process of another host, or a later process
    /// with the same PID, is not mistaken for a process of the container.
    func membership(_ text: String, of container: String) -> Membership? {
        guard container.utf8.count == 64 else { return nil }
        let paths = text.split(separator: "\n").compactMap { line -> (controllers: [Substring], path: Substring)? in
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3, let id = fields[2].firstRange(of: container) else { return nil }
            // Processes may have created groups below their own; one outside the cgroup namespace cannot be located.
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
