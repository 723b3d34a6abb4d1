import CMosquitto
import Glibc

/// Callbacks of libmosquitto, called on the event loop's thread; `published` also on any thread that writes output.
struct MosquittoCallbacks: Sendable {
    /// Called for a CONNACK.
    ///
    /// `code`: the result, 0 for success; `maxPacket`: the broker's maximum packet size in bytes, nil if none is
    /// announced.
    let connected: @Sendable (_ code: Int32, _ maxPacket: Int?) -> Void
    /// Maximum bytes of an incoming payload that are copied.
    let keptPayload: Int
    let message: @Sendable (MQTTMessage) -> Void
    /// Called for a SUBACK.
    ///
    /// `packet`: the SUBSCRIBE's packet number; `granted`: the granted QoS levels, or error codes of 0x80 and above.
    let subscribed: @Sendable (_ packet: Int32, _ granted: [Int32]) -> Void
    /// Called when a QoS 1 message is acknowledged, or when a QoS 0 message has been written.
    ///
    /// `packet`: the message's packet number; `code`: the PUBACK's reason code, always 0 with MQTT 3.1.1.
    let published: @Sendable (_ packet: Int32, _ code: Int32) -> Void
}

/// A client of libmosquitto 2.0; no other file calls the library.
///
/// The library locks its own state after `mosquitto_threaded_set` (mosquitto.h, "threaded_set"), so `publish`,
/// `subscribe` and `disconnect` may be called from any thread; all other calls come from one thread at a time
/// (``MQTTEventLoop``).
@safe
final class Mosquitto: @unchecked Sendable {
    private let client: OpaquePointer
    private let callbacks: Unmanaged<CallbackBox>
    private let options: MQTTConfiguration
    let version: ProtocolVersion
    let usesTLS: Bool
    /// The broker of the last connection.
    private var address: BrokerURL?

    /// Result of `mosquitto_lib_init`, which is not thread-safe; a static let is initialized once.
    private static let library: Int32 = mosquitto_lib_init()

    /// Creates a client of the library; nil if creating or configuring the client fails.
    ///
    /// `usesTLS`: true if the client will connect to brokers by TLS.
    init?(options: MQTTConfiguration, version: ProtocolVersion, usesTLS: Bool, callbacks: MosquittoCallbacks) {
        guard Self.library == rc(MOSQ_ERR_SUCCESS) else { return nil }
        let box = unsafe Unmanaged.passRetained(CallbackBox(callbacks))
        let isClean = version == .v311 || options.sessionExpiry == 0
        guard let client = unsafe mosquitto_new(options.clientID, isClean, box.toOpaque()) else {
            unsafe box.release()
            return nil
        }
        unsafe self.client = client
        unsafe self.callbacks = box
        self.options = options
        self.version = version
        self.usesTLS = usesTLS
        guard configure() == rc(MOSQ_ERR_SUCCESS) else { return nil }
        setCallbacks()
    }

    deinit {
        unsafe mosquitto_destroy(client)
        unsafe callbacks.release()
    }

    private func configure() -> Int32 {
        let protocolVersion = version == .v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311
        var result = unsafe mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, protocolVersion)
        guard result == rc(MOSQ_ERR_SUCCESS) else { return result }
        result = unsafe mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1)
        guard result == rc(MOSQ_ERR_SUCCESS) else { return result }
        // Without this the PUBACK goes out before the message callback, and a crash loses the message.
        result = unsafe mosquitto_threaded_set(client, true)
        guard result == rc(MOSQ_ERR_SUCCESS) else { return result }
        guard usesTLS else { return result }
        let systemAuthorities: String? = options.tls.authorities == nil ? "/etc/ssl/certs" : nil
        return unsafe mosquitto_tls_set(
            client, options.tls.authorities, systemAuthorities, options.tls.certificate, options.tls.key, nil)
    }

    private func setCallbacks() {
        unsafe mosquitto_connect_v5_callback_set(client) { _, box, code, _, properties in
            var limit: UInt32 = 0
            let found = unsafe mosquitto_property_read_int32(
                properties, Int32(MQTT_PROP_MAXIMUM_PACKET_SIZE.rawValue), &limit, false)
            unsafe observer(of: box)?.connected(code, unsafe found == nil ? nil : Int(limit))
        }
        unsafe mosquitto_message_v5_callback_set(client) { _, box, message, properties in
            guard let message = unsafe message, let observer = unsafe observer(of: box),
                let copy = unsafe MQTTMessage(message.pointee, properties, keptPayload: observer.keptPayload)
            else { return }
            observer.message(copy)
        }
        unsafe mosquitto_subscribe_v5_callback_set(client) { _, box, packet, count, granted, _ in
            let codes = unsafe UnsafeBufferPointer(start: granted, count: Int(count)).map { $0 }
            unsafe observer(of: box)?.subscribed(packet, codes)
        }
        unsafe mosquitto_publish_v5_callback_set(client) { _, box, packet, code, _ in
            unsafe observer(of: box)?.published(packet, code)
        }
    }

    /// Connects, or reconnects to the same broker; blocks until the TCP connection is established or has failed.
    func connect(to broker: BrokerURL, will: OutgoingMessage?) -> Int32 {
        let user = unsafe mosquitto_username_pw_set(client, broker.user, broker.user == nil ? nil : broker.password)
        guard user == rc(MOSQ_ERR_SUCCESS) else { return user }
        if let will {
            let result = set(will)
            guard result == rc(MOSQ_ERR_SUCCESS) else { return result }
        }
        guard address != broker else { return unsafe mosquitto_reconnect(client) }
        address = broker
        let properties = PropertyList()
        if version == .v5 {
            properties.add(MQTT_PROP_MAXIMUM_PACKET_SIZE, MQTTConfiguration.maxPacket)
            if options.sessionExpiry > 0 { properties.add(MQTT_PROP_SESSION_EXPIRY_INTERVAL, options.sessionExpiry) }
        }
        return unsafe mosquitto_connect_bind_v5(
            client, broker.host, broker.port, options.keepalive, nil, properties.list)
    }

    private func set(_ will: OutgoingMessage) -> Int32 {
        let properties = PropertyList()
        // The will is not published if the session is resumed within these seconds.
        if version == .v5 { properties.add(MQTT_PROP_WILL_DELAY_INTERVAL, 3) }
        let result = unsafe mosquitto_will_set_v5(
            client, will.topic, Int32(will.payload.count), will.payload, will.qos.rawValue, will.isRetained,
            properties.list)
        if result == rc(MOSQ_ERR_SUCCESS) { properties.release() }  // the client owns the list now
        return result
    }

    /// Passes a message to the library, which writes it later.
    ///
    /// - Returns: the message's packet number, and the library's error code, or 0 for success.
    func publish(_ publication: OutgoingMessage) -> (packet: Int32, result: Int32) {
        let properties = PropertyList()
        if version == .v5 {
            if let expiry = publication.expiry { properties.add(MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, expiry) }
            if let topic = publication.responseTopic { properties.add(MQTT_PROP_RESPONSE_TOPIC, topic) }
            if let data = publication.correlation { properties.add(MQTT_PROP_CORRELATION_DATA, data) }
            if !publication.payload.isEmpty { properties.add(MQTT_PROP_CONTENT_TYPE, "application/json") }
        }
        // A 3.1.1 broker has no message expiry and would retain the message long after it is outdated.
        let isRetained = publication.isRetained && (version == .v5 || publication.expiry == nil)
        var packet: Int32 = 0
        let result = unsafe mosquitto_publish_v5(
            client, &packet, publication.topic, Int32(publication.payload.count), publication.payload,
            publication.qos.rawValue, isRetained, properties.list)
        return (packet, result)
    }

    /// Passes a subscription to the library, which writes it later.
    ///
    /// - Returns: the SUBSCRIBE's packet number, and the library's error code, or 0 for success.
    func subscribe(_ filter: String, qos: OutgoingMessage.QoS) -> (packet: Int32, result: Int32) {
        var packet: Int32 = 0
        let options = MQTT_SUB_OPT_NO_LOCAL.rawValue | MQTT_SUB_OPT_RETAIN_AS_PUBLISHED.rawValue
        let result = unsafe mosquitto_subscribe_v5(
            client, &packet, filter, qos.rawValue, version == .v5 ? Int32(options) : 0, nil)
        return (packet, result)
    }

    func disconnect() { unsafe _ = mosquitto_disconnect_v5(client, 0, nil) }

    var socket: Int32 { unsafe mosquitto_socket(client) }
    var wantsToWrite: Bool { unsafe mosquitto_want_write(client) }

    func read() -> Int32 { unsafe mosquitto_loop_read(client, 1) }
    func write() -> Int32 { unsafe mosquitto_loop_write(client, 1) }
    /// Sends keepalive pings and handles time-outs; must be called about once a second.
    func keepAlive() -> Int32 { unsafe mosquitto_loop_misc(client) }

    /// Error code that the library returns if a call needs a connection and there is none.
    static let notConnected = Int32(MOSQ_ERR_NO_CONN.rawValue)

    static func text(ofError code: Int32) -> String {
        guard let text = unsafe mosquitto_strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }

    /// True if the code of a refusing CONNACK means that the broker does not support MQTT 5.
    ///
    /// An older broker answers an MQTT 5 client with a code defined by MQTT 3.1.1.
    static func isUnknownVersion(reason code: Int32) -> Bool { code == 0x84 || code == 1 }

    /// Returns the meaning of a refusing CONNACK's code, in the same words for MQTT 3.1.1 and MQTT 5.
    static func text(ofReason code: Int32, version: ProtocolVersion) -> String {
        switch (version, code) {
        case (.v5, 0x86), (.v5, 0x87), (.v311, 4), (.v311, 5): return "it does not take this user and password"
        case (.v5, 0x84), (.v311, 1): return "it does not speak this version of MQTT"
        case (.v5, 0x85), (.v311, 2): return "it does not take this client's id"
        case (.v5, 0x88), (.v311, 3): return "it is not available"
        default: break
        }
        let text = unsafe version == .v5 ? mosquitto_reason_string(code) : mosquitto_connack_string(code)
        guard let text = unsafe text else { return "code \(code)" }
        return unsafe String(cString: text)
    }
}

private final class CallbackBox: Sendable {
    let callbacks: MosquittoCallbacks
    init(_ callbacks: MosquittoCallbacks) { self.callbacks = callbacks }
}

private func observer(of box: UnsafeMutableRawPointer?) -> MosquittoCallbacks? {
    guard let box = unsafe box else { return nil }
    return unsafe Unmanaged<CallbackBox>.fromOpaque(box).takeUnretainedValue().callbacks
}

private func rc(_ code: mosq_err_t) -> Int32 { Int32(code.rawValue) }

/// An MQTT 5 property list, freed on deinit unless the library has taken ownership of the list.
@safe
private final class PropertyList {
    private(set) var list: OpaquePointer?

    func add(_ property: mqtt5_property, _ value: UInt32) {
        unsafe _ = mosquitto_property_add_int32(&list, Int32(property.rawValue), value)
    }
    func add(_ property: mqtt5_property, _ value: String) {
        unsafe _ = mosquitto_property_add_string(&list, Int32(property.rawValue), value)
    }
    func add(_ property: mqtt5_property, _ value: [UInt8]) {
        guard let count = UInt16(exactly: value.count) else { return }
        unsafe _ = mosquitto_property_add_binary(&list, Int32(property.rawValue), value, count)
    }
    func release() { unsafe list = nil }

    deinit { unsafe mosquitto_property_free_all(&list) }
}

extension MQTTMessage {
    /// Copies a received message, whose memory is valid only during the callback; nil if its topic is not UTF-8.
    fileprivate init?(_ message: mosquitto_message, _ properties: OpaquePointer?, keptPayload: Int) {
        guard let name = unsafe message.topic, let topic = unsafe String(validatingCString: name) else { return nil }
        self.topic = topic
        payload = unsafe Array(
            UnsafeRawBufferPointer(start: message.payload, count: min(Int(message.payloadlen), keptPayload)))
        isRetained = unsafe message.retain
        var responseTopic: UnsafeMutablePointer<CChar>?
        unsafe _ = mosquitto_property_read_string(
            properties, Int32(MQTT_PROP_RESPONSE_TOPIC.rawValue), &responseTopic, false)
        self.responseTopic = unsafe takeString(responseTopic)
        var data: UnsafeMutableRawPointer?
        var count: UInt16 = 0
        let found = unsafe mosquitto_property_read_binary(
            properties, Int32(MQTT_PROP_CORRELATION_DATA.rawValue), &data, &count, false)
        correlation = unsafe found == nil ? nil : Array(UnsafeRawBufferPointer(start: data, count: Int(count)))
        unsafe free(data)
        userProperties = unsafe readUserProperties(properties)
    }
}

private func readUserProperties(_ properties: OpaquePointer?) -> [String: String] {
    var found: [String: String] = [:]
    var next = unsafe properties
    var isFirst = true
    while found.count < 16 {
        var name: UnsafeMutablePointer<CChar>?
        var value: UnsafeMutablePointer<CChar>?
        unsafe next = mosquitto_property_read_string_pair(
            next, Int32(MQTT_PROP_USER_PROPERTY.rawValue), &name, &value, !isFirst)
        isFirst = false
        guard unsafe next != nil else { break }
        if let name = unsafe takeString(name), let value = unsafe takeString(value) { found[name] = value }
    }
    return found
}

/// Returns a copy of a string that the library allocated, and frees the original.
private func takeString(_ text: UnsafeMutablePointer<CChar>?) -> String? {
    guard let text = unsafe text else { return nil }
    defer { unsafe free(text) }
    return unsafe String(validatingCString: text)
}
