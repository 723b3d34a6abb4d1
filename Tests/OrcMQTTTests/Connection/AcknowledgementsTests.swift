import Testing

@testable import OrcMQTT

@Suite struct AcknowledgementsTests {
    private func message(_ topic: String, at: Double) -> Acknowledgements.Due { .init(topic: topic, bytes: 10, at: at) }

    @Test func `what is due too long is missed, whatever else was sent`() {
        var due = Acknowledgements()
        due.connected(now: 0)
        #expect(!due.areMissing(now: 1000))
        due.sent(1, message("a", at: 1000))
        due.sent(2, message("b", at: 1020))
        #expect(!due.areMissing(now: 1030) && due.areMissing(now: 1030.1))
        #expect(due.came(2, now: 1031)?.topic == "b")
        #expect(!due.areMissing(now: 1061) && due.areMissing(now: 1062))
        due.connected(now: 1062)
        #expect(!due.areMissing(now: 1092) && due.came(1, now: 1092)?.topic == "a" && !due.areMissing(now: 9999))
    }

    @Test func `an acknowledgement may come before its message is noted, one of the same number before does not count`()
    {
        var due = Acknowledgements()
        #expect(due.came(7, now: 10) == nil)
        due.sent(7, message("early", at: 9.9))
        #expect(!due.areMissing(now: 100))
        due.sent(7, message("later", at: 10.1))
        #expect(due.areMissing(now: 41) && due.came(7, now: 50)?.topic == "later")
    }

    @Test func `what a broker refuses by its size it is not sent again`() {
        var limit = PacketSizeLimit()
        limit.refused(bytes: 5000, now: 0)
        #expect(limit.bytes(now: 1) == 4999)
        limit.refused(bytes: 9000, now: 2)
        #expect(limit.bytes(now: 3) == 4999)
        limit.connected(announced: 3000, now: 4)
        #expect(limit.bytes(now: 5) == 3000)
    }
}
