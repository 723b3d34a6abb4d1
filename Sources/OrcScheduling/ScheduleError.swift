package import OrcContract

/// The reason why a schedule cannot be set or carried out.
package struct ScheduleError: Error, CustomStringConvertible {
    package let code: Reply.Code
    package let description: String

    init(_ code: Reply.Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
