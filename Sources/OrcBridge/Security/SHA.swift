import CCrypto

/// The secure hash algorithms (FIPS 180-4), by OpenSSL.
enum SHA {
    struct Algorithm: @unchecked Sendable {
        /// Never freed, and not changed by those who use it (EVP_MD_fetch(3)).
        fileprivate let fetched: OpaquePointer?
        fileprivate let size: Int

        /// 32 bytes.
        static let sha256 = Algorithm(fetched: EVP_MD_fetch(nil, "SHA256", nil), size: 32)
        /// 20 bytes; for WebSocket's handshake, where it guards nothing.
        static let sha1 = Algorithm(fetched: EVP_MD_fetch(nil, "SHA1", nil), size: 20)
    }

    /// No bytes where it cannot be computed: nothing equals them.
    static func digest(of bytes: [UInt8], _ algorithm: Algorithm) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: algorithm.size)
        let result = EVP_Digest(bytes, bytes.count, &digest, nil, algorithm.fetched, nil)
        return result == 1 ? digest : []
    }
}
