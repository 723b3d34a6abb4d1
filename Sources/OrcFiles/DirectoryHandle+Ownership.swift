import Glibc

/// Methods for owners, permissions and free space.
extension DirectoryHandle {
    /// Bytes that this process may still write on the folder's disk; nil if that is unknown.
    package var freeBytes: Int? {
        var disk = statvfs()
        return fstatvfs(descriptor, &disk) == 0 ? Int(clamping: UInt64(disk.f_bavail) * UInt64(disk.f_frsize)) : nil
    }

    package func removeIfEmpty(_ name: String) { unlinkat(descriptor, name, AT_REMOVEDIR) }

    /// Makes the agent the owner of this folder and of its files `names`, with the modes 0755 and 0600.
    ///
    /// Anything whose owner the agent may not change is left as it is.
    package func keep(_ names: Set<String>) {
        if fchown(descriptor, geteuid(), getegid()) == 0 { fchmod(descriptor, 0o755) }
        for name in names where kind(of: name) == .file {
            guard fchownat(descriptor, name, geteuid(), getegid(), AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            fchmodat(descriptor, name, 0o600, AT_SYMLINK_NOFOLLOW)
        }
    }

    /// Returns true if only root and the user of this process can write or replace the file `name`.
    package func isKept(_ name: String) -> Bool {
        var folder = stat()
        guard fstat(descriptor, &folder) == 0, let file = status(of: name) else { return false }
        return [folder, file].allSatisfy { status in
            (status.st_uid == 0 || status.st_uid == geteuid()) && status.st_mode & (S_IWGRP | S_IWOTH) == 0
        }
    }

    /// Makes `owner` the owner of the file `name`; without the right to do so, the file is left as it is.
    package func give(_ name: String, to owner: Owner) throws(FileError) {
        guard fchownat(descriptor, name, owner.user, owner.group, AT_SYMLINK_NOFOLLOW) != 0, errno != EPERM else {
            return
        }
        throw .last("\(path)/\(name)")
    }

    /// Returns the id of the folder's owner if the given user and group cannot write in the folder; nil if they can.
    package func owner(closedTo user: UInt32, _ group: UInt32) -> UInt32? {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        let needed: mode_t =
            status.st_uid == user ? S_IWUSR | S_IXUSR : status.st_gid == group ? S_IWGRP | S_IXGRP : S_IWOTH | S_IXOTH
        return status.st_mode & needed == needed ? nil : status.st_uid
    }
}
