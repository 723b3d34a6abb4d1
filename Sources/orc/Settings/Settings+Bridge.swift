import OrcBridge
import OrcContract
import OrcCore

extension Settings {
    /// The settings of the REST bridge; nil if it is disabled.
    func bridge() throws(SettingsError) -> BridgeSettings? {
        guard let listen = try httpListen() else { return nil }
        var settings = BridgeSettings(
            address: listen.address, port: listen.port, host: try host(), version: version)
        settings.apiKey = given(.apiKey)
        settings.servesEveryHost = try read(.httpHosts, "all or own") { $0 == "all" ? true : $0 == "own" ? false : nil }
        settings.origins = try read(.httpOrigins, "* or origins such as https://example.org, parted by commas") {
            text in
            let origins = Self.list(text)
            return origins.allSatisfy { $0 == "*" || $0.contains("://") } ? origins : nil
        }
        settings.proxies = try read(.httpProxies, "addresses or networks such as 10.0.0.0/8, parted by commas") {
            text in
            let names = Self.list(text)
            let networks = names.compactMap { Network($0) }
            return networks.count == names.count ? networks : nil
        }
        switch (given(.httpCertificate), given(.httpKey)) {
        case (nil, nil): break
        case (let chain?, let key?): settings.certificate = (chain, key)
        case (nil, _?):
            throw .unreadable(key: SettingKey.httpCertificate.rawValue, value: "", wanted: "the key's certificate")
        case (_?, nil): throw .unreadable(key: SettingKey.httpKey.rawValue, value: "", wanted: "the certificate's key")
        }
        return settings
    }

    private func httpListen() throws(SettingsError) -> (address: String, port: Int)? {
        if isEmptied(.httpListen) { return nil }
        return try read(.httpListen, "an address and a port, such as 127.0.0.1:5000", Self.address)
    }

    private static func list(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.filter { !$0.isWhitespace } }.filter { !$0.isEmpty }
    }
}
