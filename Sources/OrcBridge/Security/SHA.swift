import CCrypto

/// Secure hash algorithms (FIPS 180-4), computed by OpenSSL.
enum SHA {
    struct Algorithm: @unchecked Sendable {
        /// OpenSSL's algorithm, which is never freed and never modified, so that threads may share it
        /// (EVP_MD_fetch(3)).
        fileprivate let fetched: OpaquePointer?
        fileprivate let size: Int

        /// SHA-256, whose digests have 32 bytes.
        static let sha256 = Algorithm(fetched: EVP_MD_fetch(nil, "SHA256", nil), size: 32)
        /// SHA-1, whose digests have 20 bytes; only for the WebSocket handshake, whose security does not depend on the
        /// hash.
        static let sha1 = Algorithm(fetched: EVP_MD_fetch(nil, "SHA1", nil), size: 20)
    }

    /// Returns the digest of `bytes`; an empty array, which equals no digest, if the digest cannot be computed.
    static func digest(of bytes: [UInt8], _ algorithm: Algorithm) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: algorithm.size)
        let result = EVP_Digest(bytes, bytes.count, &digest, nil, algorithm.fetched, nil)
        return result == 1 ? digest : []
    }
}
