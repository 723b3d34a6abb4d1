// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "orc",
    products: [.executable(name: "orc", targets: ["orc"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: [
        .systemLibrary(
            name: "CMosquitto", pkgConfig: "libmosquitto", providers: [.apt(["libmosquitto-dev"])]),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(
            name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CKernel"),
        .systemLibrary(name: "CPCRE", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .target(name: "OrcCore", swiftSettings: strict),
        .target(name: "OrcContract", dependencies: ["OrcCore"], swiftSettings: strict),
        .target(name: "OrcFiles", dependencies: ["OrcCore", "CKernel"], swiftSettings: strict),
        .target(name: "OrcDocuments", dependencies: ["OrcCore", "OrcContract"], swiftSettings: strict),
        .target(name: "OrcEngine", dependencies: ["OrcCore", "OrcContract"], swiftSettings: strict),
        .target(
            name: "OrcPlans", dependencies: ["OrcCore", "OrcContract", "OrcEngine", "OrcFiles", "CPCRE"],
            swiftSettings: strict),
        .target(
            name: "OrcMQTT",
            dependencies: [
                "OrcCore", "OrcContract", "CMosquitto", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict + [.strictMemorySafety()]),
        .target(
            name: "OrcDocker",
            dependencies: [
                "OrcCore", "OrcContract", "OrcEngine",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: strict),
        .target(
            name: "OrcStorage",
            dependencies: ["OrcCore", "OrcContract", "CSQLite"],
            swiftSettings: strict + [.strictMemorySafety()]),
        .target(name: "OrcMetrics", dependencies: ["OrcCore", "OrcContract"], swiftSettings: strict),
        .target(
            name: "OrcScheduling",
            dependencies: [
                "OrcCore", "OrcContract", "OrcStorage", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .target(
            name: "OrcAgent",
            dependencies: [
                "OrcFiles", "OrcScheduling",
                "OrcCore", "OrcContract", "OrcPlans", "OrcMQTT", "OrcEngine", "OrcStorage", "OrcMetrics",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ],
            swiftSettings: strict),
        .target(
            name: "OrcBridge",
            dependencies: [
                "OrcCore", "OrcContract", "OrcDocuments", "OrcMQTT", "CCrypto",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTLS", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "orc",
            dependencies: [
                "OrcCore", "OrcContract", "OrcDocuments", "OrcFiles", "OrcPlans", "OrcMQTT", "OrcDocker", "OrcStorage",
                "OrcAgent", "OrcBridge", "CMalloc",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .target(
            name: "Testbed",
            dependencies: [
                "OrcCore", "OrcContract", "OrcMQTT", "OrcDocker",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            path: "Tests/Testbed", swiftSettings: strict),
        .testTarget(
            name: "LayoutTests",
            dependencies: [
                "OrcContract", "OrcCore", "OrcDocuments", "orc", "OrcDocker", "OrcAgent", "OrcMQTT",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict),
        .testTarget(name: "OrcCoreTests", dependencies: ["OrcCore", "OrcContract", "Testbed"], swiftSettings: strict),
        .testTarget(
            name: "OrcContractTests", dependencies: ["OrcContract", "OrcCore", "Testbed"], swiftSettings: strict),
        .testTarget(
            name: "OrcFilesTests", dependencies: ["OrcFiles", "OrcContract", "OrcCore", "OrcPlans", "Testbed"],
            swiftSettings: strict),
        .testTarget(
            name: "OrcPlansTests",
            dependencies: ["OrcPlans", "OrcContract", "OrcCore", "OrcEngine", "OrcFiles", "Testbed"],
            swiftSettings: strict),
        .testTarget(
            name: "OrcMQTTTests",
            dependencies: [
                "OrcMQTT", "OrcContract", "OrcCore", "Testbed", .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ], swiftSettings: strict),
        .testTarget(
            name: "OrcDockerTests",
            dependencies: [
                "OrcDocker", "OrcContract", "OrcCore", "OrcEngine", "OrcMetrics", "OrcPlans", "Testbed",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ], swiftSettings: strict),
        .testTarget(name: "OrcEngineTests", dependencies: ["OrcEngine"], swiftSettings: strict),
        .testTarget(
            name: "OrcMetricsTests", dependencies: ["OrcMetrics", "OrcContract", "OrcCore", "Testbed"],
            swiftSettings: strict),
        .testTarget(
            name: "OrcSchedulingTests",
            dependencies: [
                "OrcScheduling", "OrcContract", "OrcCore", "OrcStorage", "Testbed",
                .product(name: "Logging", package: "swift-log"),
            ], swiftSettings: strict),
        .testTarget(
            name: "OrcStorageTests", dependencies: ["OrcStorage", "OrcContract", "OrcCore", "Testbed"],
            swiftSettings: strict),
        .testTarget(
            name: "OrcAgentTests",
            dependencies: [
                "OrcAgent", "OrcCore", "OrcContract", "OrcPlans", "OrcMQTT", "OrcEngine", "OrcStorage", "OrcMetrics",
                "Testbed",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Subprocess", package: "swift-subprocess"),
            ], swiftSettings: strict),
        .testTarget(
            name: "OrcBridgeTests",
            dependencies: [
                "OrcBridge", "OrcContract", "OrcCore", "OrcDocuments",
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"), .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
            ], swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "OrcCore", "OrcContract", "OrcDocuments", "OrcMQTT", "OrcDocker", "Testbed", "orc",
                .product(name: "Subprocess", package: "swift-subprocess"),
                .product(name: "SystemPackage", package: "swift-system"),
            ], exclude: ["recorded-differences.json", "recorded-answers.json"], swiftSettings: strict),
    ]
)
