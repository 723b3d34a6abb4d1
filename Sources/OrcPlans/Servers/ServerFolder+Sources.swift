import Glibc
package import OrcFiles

/// The parts of a server's folder that are mounted into its container.
extension ServerFolder {
    /// Checks that mount sources are inside the folder, behind no link, and not replaceable by a game; creates missing
    /// folders.
    ///
    /// The engine follows links of the host when it mounts, so this check runs before each start.
    package func prepareSources(of config: ServerConfig, owner: DirectoryHandle.Owner) throws {
        let volumes = config.plan.volumes.filter(\.isOwn)
        for mapping in volumes + config.plan.files where mapping.isOwn {
            let path = mapping.ownPath
            guard !path.isEmpty else {
                throw PlanError.unsafeMount(source: mapping.source, reason: "is the server's whole folder")
            }
            for outer in volumes where outer.ownPath.count < path.count && path.starts(with: outer.ownPath) {
                throw PlanError.unsafeMount(
                    source: mapping.source, reason: "lies in \(outer.source), which the game can write")
            }
        }
        guard let folder = try open() else { throw PlanError.unknownServer(server) }
        for volume in volumes {
            var place = folder
            for name in volume.ownPath { place = try place.folder(name, madeFor: owner) }
        }
    }

    /// Returns the server's own volumes that a user of the container cannot write, with their owners.
    ///
    /// `user` and `group`: the ids, which are the same on the host; not root.
    package func closedVolumes(of config: ServerConfig, to user: UInt32, _ group: UInt32) -> [(
        path: String, owner: UInt32
    )] {
        // A folder that cannot be opened fails the start, with an error of its own.
        let folder = (try? open()) ?? nil
        return config.plan.volumes.filter(\.isOwn).compactMap { volume in
            var place = folder
            for name in volume.ownPath { place = (try? place?.folder(name)) ?? nil }
            guard let owner = place?.owner(closedTo: user, group) else { return nil }
            return (volume.ownPath.joined(separator: "/"), owner)
        }
    }

    /// Returns true if a regular file exists at a path below the folder, and the path contains no symbolic link.
    package func hasFile(_ relativePath: String) -> Bool {
        let names = relativePath.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
        // A file in a folder that cannot be opened counts as missing.
        guard let last = names.last, var folder = (try? open()) ?? nil else { return false }
        for name in names.dropLast() {
            guard let next = (try? folder.folder(name)) ?? nil else { return false }
            folder = next
        }
        return folder.kind(of: last) == .file
    }
}

extension DirectoryHandle {
    /// Returns the folder called `name`; if it is missing, creates it and gives it to `owner`.
    fileprivate func folder(_ name: String, madeFor owner: Owner) throws -> DirectoryHandle {
        if let folder = try folder(name) { return folder }
        let folder = try makingFolder(name)
        try give(name, to: owner)
        return folder
    }
}
