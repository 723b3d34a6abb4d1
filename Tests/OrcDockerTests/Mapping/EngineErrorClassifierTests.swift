import OrcEngine
import Testing

@testable import OrcDocker

@Suite struct EngineErrorClassifierTests {
    @Test(
        arguments: [
            ("driver failed: Bind for 0.0.0.0:8303 failed: port is already allocated", .portInUse),
            ("listen udp4 0.0.0.0:8303: bind: address already in use", .portInUse),
            ("listen tcp 10.9.9.9:1: bind: cannot assign requested address", .addressMissing),
            ("task ff83ac0d: already exists", .stuck),
            ("OCI runtime create failed: container with id exists: ff83ac0d: unknown", .stuck),
            ("exec: no such file or directory", .commandNotFound), ("something else", .other), ("", nil), (nil, nil),
        ] as [(String?, StartFailure?)])
    func `a start's failure has a reason`(message: String?, failure: StartFailure?) {
        #expect(EngineErrorClassifier.startFailure(message) == failure)
    }

    private typealias Kind = @Sendable (String) -> EngineFailure

    private static let refusals: [(Int, String, Kind)] = [
        (
            400, #"OCI runtime create failed: exec: "/no": stat /no: no such file or directory: unknown"#,
            EngineFailure.invalid
        ),
        (500, #"runc: unable to start container process: exec: "/bin/x": permission denied"#, EngineFailure.invalid),
        (404, #"exec: "x": executable file not found in $PATH"#, EngineFailure.invalid),
        (500, "listen tcp 10.9.9.9:1: bind: cannot assign requested address", EngineFailure.addressMissing),
        (500, "cgroup: no such file or directory", EngineFailure.other),
        (403, "POST /x: refused with 403", EngineFailure.denied), (401, "invalid", EngineFailure.denied),
        (405, "port is already allocated", EngineFailure.denied),
        (400, "invalid environment variable: =27015", EngineFailure.invalid),
        (500, "linux spec user: unable to find user x", EngineFailure.invalid),
        (500, "OCI runtime create failed: something", EngineFailure.invalid),
        (500, "server error", EngineFailure.other),
        (500, "Bind for 0.0.0.0:8303 failed: port is already allocated", EngineFailure.portInUse),
        (500, "write /x: No space left on device", EngineFailure.noSpace),
        (500, "task ff83ac0d: already exists", EngineFailure.stuck),
        (409, "You cannot remove a running container", EngineFailure.conflict),
        (409, #"The container name "/x" is already in use by"#, EngineFailure.nameInUse),
        // A server may be called like a word of a refusal.
        (404, "No such container: peon.warcamp.game.invalid", EngineFailure.notFound),
        (409, "Container peon.warcamp.game.invalid is not running", EngineFailure.conflict),
    ]

    @Test(arguments: refusals.indices)
    func `a refusal of the engine's says whose it is to mend`(index: Int) {
        let (status, message, kind) = Self.refusals[index]
        #expect(EngineErrorClassifier.failure(status: status, message: message) == kind(message))
        #expect(EngineFailure(DockerError.refused(status: status, message: message)) == kind(message))
    }

    @Test func `failures without a refusal keep their kind`() {
        #expect(EngineFailure(.timeout(call: "x", seconds: 1)).isTimeout)
        guard case .unreachable = EngineFailure(.unreachable("gone")) else { return #expect(Bool(false)) }
        guard case .unreadable = EngineFailure(.unreadable(call: "x")) else { return #expect(Bool(false)) }
        guard case .other("bad layer") = EngineFailure(.failed("bad layer")) else { return #expect(Bool(false)) }
        guard case .unsupported = EngineFailure(.unsupported(engine: "1", range: "2")) else {
            return #expect(Bool(false))
        }
    }

    @Test(arguments: [
        ("could not find an available, non-overlapping IPv4 address pool", 1),
        ("all predefined address pools have been fully subnetted", 1), ("no free subnet", 1),
        ("Pool overlaps with other one on this address space", 2), ("subnet 10.0.0.0/24 is already used", 2),
        ("network name invalid", 0),
    ])
    func `a network's refusal tells full pools from an overlap`(message: String, kind: Int) {
        let failure = EngineErrorClassifier.networkFailure(.refused(status: 500, message: message))
        #expect(failure == [nil, .addressPoolsExhausted(message), .subnetInUse(message)][kind])
    }
}

extension EngineFailure {
    fileprivate var isTimeout: Bool { if case .timeout = self { true } else { false } }
}
