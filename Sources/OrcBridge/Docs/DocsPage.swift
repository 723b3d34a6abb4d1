import OrcContract
import OrcCore
import OrcDocuments

/// The page `/docs`: the OpenAPI document as HTML without scripts or external resources.
enum DocsPage {
    static let html: String = {
        let document = OpenAPI.document
        var html = head
        html += "<h1>\(escaped(document["info"]?["title"]?.string ?? ""))</h1>"
        html += "<p>\(escaped(document["info"]?["description"]?.string ?? ""))</p>"
        html += """
            <p>Send your key as <code>X-Api-Key</code> or as <code>Authorization: Bearer</code>. The document itself is
            <a href="/openapi.json">/openapi.json</a>.</p><pre>curl -H "X-Api-Key: $KEY" http://127.0.0.1:5000/api/v1/servers
            curl -H "X-Api-Key: $KEY" -X POST http://127.0.0.1:5000/api/v2/$HOST/cmd/server/valheim-alpha/start</pre>
            """
        for tag in document["tags"]?.array ?? [] {
            let name = tag["name"]?.string ?? ""
            html += "<h2 id=\"\(escaped(name))\">\(escaped(tag["description"]?.string ?? ""))</h2>"
            for (path, item) in document["paths"]?.object?.members ?? [] {
                for (method, operation) in item.object?.members ?? [] where operation["tags"]?.array == [.string(name)]
                {
                    html += section(path, method, operation)
                }
            }
        }
        return html + "</main></body></html>\n"
    }()

    private static func section(_ path: String, _ method: String, _ operation: JSON) -> String {
        var html = "<details><summary><b class=\"\(method)\">\(method.uppercased())</b> <code>\(escaped(path))</code> "
        html += "<span>\(escaped(operation["summary"]?.string ?? ""))</span></summary>"
        if let words = operation["description"]?.string { html += "<p>\(escaped(words))</p>" }
        let body = operation["requestBody"]?["content"]?["application/json"]
        let rows =
            (operation["parameters"]?.array ?? []).map { parameter in
                row(
                    parameter["name"]?.string, parameter["in"]?.string, parameter["description"]?.string,
                    isRequired: parameter["required"]?.bool ?? false)
            }
            + (body?["schema"]?["properties"]?.object?.members ?? []).map { name, schema in
                row(
                    name, "body", schema["description"]?.string,
                    isRequired: body?["schema"]?["required"]?.array?.contains(.string(name)) ?? false)
            }
        if !rows.isEmpty { html += "<table>\(rows.joined())</table>" }
        if let example = body?["example"], example != [:] { html += "<pre>\(escaped(example.text(.pretty)))</pre>" }
        let answers = (operation["responses"]?.object?.members ?? []).map { status, answer in
            let answer = resolved(answer)
            return "<tr><td><b>\(escaped(status))</b></td><td>\(escaped(answer["description"]?.string ?? ""))</td></tr>"
        }
        return html + "<table>\(answers.joined())</table></details>"
    }

    /// Returns the response that `answer` refers to by a `$ref`; returns any other value unchanged.
    private static func resolved(_ answer: JSON) -> JSON {
        guard let name = answer["$ref"]?.string?.split(separator: "/").last else { return answer }
        return OpenAPI.document["components"]?["responses"]?[String(name)] ?? answer
    }

    private static func row(_ name: String?, _ place: String?, _ summary: String?, isRequired: Bool) -> String {
        "<tr><td><code>\(escaped(name ?? ""))</code></td><td>\(escaped(place ?? ""))\(isRequired ? ", required" : "")</td>"
            + "<td>\(escaped(summary ?? ""))</td></tr>"
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;")
    }

    private static let head = """
        <!doctype html><html lang="en"><head><meta charset="utf-8"><title>Orc</title>
        <meta name="viewport" content="width=device-width, initial-scale=1"><style>
        :root { color-scheme: light dark }
        body { font: 16px/1.5 system-ui, sans-serif; margin: 0 }
        main { max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
        details { border-bottom: 1px solid #8884; padding: .35rem 0 }
        summary { cursor: pointer } summary span { opacity: .75 }
        b.get { color: #2a7 } b.put, b.post { color: #c80 } b.delete { color: #d44 }
        table { border-collapse: collapse; margin: .5rem 0 } td { padding: .1rem 1rem .1rem 0; vertical-align: top }
        pre { background: #8882; padding: .75rem; overflow: auto }
        </style></head><body><main>
        """
}
