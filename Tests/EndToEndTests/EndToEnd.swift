import Testing

/// The real program, broker, engine and games; one at a time, as they share the engine.
@Suite(.serialized) enum EndToEnd {}
