import ArgumentParser
import FoundationEssentials
import OrcContract
import OrcCore
import OrcDocuments

struct TopicsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "topics", abstract: "Prints the topics and actions, or writes their documents.")

    @Option(help: "The folder to write the documents to: AsyncAPI, OpenAPI, states, schemas and examples.")
    var write: String?

    @Flag(help: "Prints config/orc.env instead: every setting with its default.")
    var settings = false

    func run() throws {
        if settings { return StandardOutput.print(SettingsDocument.text) }
        guard let write else { return StandardOutput.print(ContractDocuments.overview) }
        for (path, text) in ContractDocuments.files {
            let url = URL(filePath: "\(write)/\(path)")
            try FileManager.default.createDirectory(
                atPath: url.deletingLastPathComponent().path(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
    }
}

/// The text of `config/orc.env`, generated from ``SettingKey``.
enum SettingsDocument {
    static var text: String {
        var lines = ["# Orc's settings: every key with its default. The environment goes before this file."]
        for setting in SettingKey.allCases {
            lines += ["", "# \(setting.summary)"]
            if setting.isSecret { lines.append("# \(setting.rawValue)_FILE may name a file that holds it.") }
            lines.append("\(setting.standard.isEmpty ? "#" : "")\(setting.rawValue)=\(setting.standard)")
        }
        return lines.joined(separator: "\n")
    }
}
