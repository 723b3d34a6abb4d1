import Foundation
import OrcContract
import OrcCore
import OrcEngine
import Testbed
import Testing

@testable import OrcPlans

@Suite struct PlanTests {
    private func plan(_ extra: String) throws -> Plan {
        try Plan(JSON.parse(#"{"metadata":{"game_uid":"x","image":"i"}\#(extra)}"#), file: "plan.json")
    }

    @Test(arguments: [
        #","ports":{}"#, #","ports":[[{"P":["0","udp"]}]]"#, #","ports":[[{"P":["70000","udp"]}]]"#,
        #","ports":[[{"P":["1"]}]]"#,
        #","ports":[["x"]]"#, #","environment":["x"]"#, #","volumes":{"~!/../../etc":"/x"}"#,
        ",\"volumes\":{\"~!/../\u{301}x\":\"/x\"}",
        #","volumes":{"relative":"/x"}"#, #","volumes":{"~!data":"/x"}"#,
        #","volumes":{"~!/a":"x"}"#, #","volumes":{"~!/a:b":"/x"}"#, #","volumes":{"~!/a":"/x:ro"}"#, #","orc":["x"]"#,
        #","orc":{"stop":{"signal":"KILL"}}"#, #","orc":{"stop":{"grace":-1}}"#, #","orc":{"stop":{"command":"a\nb"}}"#,
        #","orc":{"resources":{"memory":"lots"}}"#, #","orc":{"resources":{"cpus":0}}"#,
        #","orc":{"resources":{"memory":"1k"}}"#, #","orc":{"resources":{"memory":0}}"#,
    ])
    func `a plan that cannot be carried out is refused with its place`(extra: String) {
        let error = #expect(throws: PlanError.self) { try plan(extra) }
        #expect(error?.description.hasPrefix("plan.json") == true)
    }

    @Test func `the orc object says how to stop, and what may be used`() throws {
        let options = try plan(
            #","orc":{"stop":{"command":"quit","grace":5},"resources":{"memory":"1g","cpus":1.5,"pids":64},"later":{"a":1}}"#
        ).options
        #expect(options.stop.command == "quit" && options.stop.grace == 5)
        #expect(options.resources.memory == 1 << 30 && options.resources.cpus == 1.5 && options.resources.pids == 64)
    }

    @Test func `an empty list is an empty object`() throws {
        let empty = try plan(#","environment":[],"volumes":[],"files":[],"ports":[],"orc":[]"#)
        #expect(empty.environment.members.isEmpty && empty.volumes.isEmpty && empty.options == PlanOptions())
    }

    @Test func `a word that the orc object does not know refuses a plan, and is told of a server`() async throws {
        let text =
            #"{"metadata":{"game_uid":"x","image":"i"},"orc":{"stop":{"comand":"quit"},"recources":{},"query":1}}"#
        let read = try Plan(JSON.parse(text), file: "config.json").options.unknown
        #expect(
            read == [
                "orc.stop: comand is not known: did you mean command?", "orc: query is not known",
                "orc: recources is not known: did you mean resources?",
            ])
        try await Testbed.withFolder { root in
            try OrcProcess.installPlan("x", text, in: root)
            let error = #expect(throws: PlanError.self) {
                try PlanCatalogue(path: root.appending(path: "plans").path()).plan("x")
            }
            #expect(error?.description == "plans/x/plan.json: \(read[0])")
            try OrcProcess.installPlan("x", "{\"a\": 1,\n  \"ä\": b}", in: root)
            let broken = #expect(throws: PlanError.self) {
                try PlanCatalogue(path: root.appending(path: "plans").path()).plan("x")
            }
            #expect(broken?.description == "plans/x/plan.json: not valid JSON at line 2, column 8")
        }
    }

    @Test(arguments: ["../x", "a b", "Ok/Game:1", "game:", "http://x"])
    func `a plan's image is an image's name`(image: String) {
        #expect(throws: PlanError.self) {
            try Plan(["metadata": ["game_uid": "x", "image": .string(image)]], file: "plan.json")
        }
    }

    @Test func `a plan says itself how its port groups are meant`() throws {
        let three = #"[[{"P":["1","udp"]}],[{"P":["2","udp"]}],[{"P":["3","udp"]}]]"#
        #expect(try plan(",\"ports\":\(three)").portGroups.count == 1)
        #expect(try plan(",\"ports\":\(three),\"orc\":{\"ports\":\"alternatives\"}").portGroups.count == 3)
        let two = #"[[{"P":["1","udp"]}],[{"P":["2","udp"]}]]"#
        #expect(try plan(",\"ports\":\(two)").portGroups.count == 2)
        #expect(try plan(",\"ports\":\(two),\"orc\":{\"ports\":\"together\"}").portGroups.count == 1)
    }

    @Test(arguments: [
        ("PASSWORD", true), ("ADMIN_PASSWORD", true), ("CS2_RCONPW", true), ("TV_PW", true), ("STEAM_GSLT", true),
        ("password", true), ("API_KEY", true), ("SERVER_NAME", false), ("PORT", false), ("state", false),
        ("SPAWN", false), ("HOCKEY", false), ("BYPASS", false), ("Turkey", false), ("compass", false),
        ("keyboard", false),
        ("monkey_name", false), ("ServerPass", true), ("rconpw", true), ("CDKEY", true), ("STEAM_KEY", true),
        ("PIN_PW", true),
    ])
    func `secrets are known by their names`(name: String, isSecret: Bool) {
        #expect(SecretNames.isSecret(name) == isSecret)
    }

    @Test(arguments: [
        ("rcon.password=geheim", "rcon.password=***"), ("set sv_password \"geheim\"", "set sv_password \"***"),
        ("\"password\": \"geheim\",", "\"password\": \"***"), ("password=", "password="), ("name = fun", "name = fun"),
        ("say hunter2 and go", "say *** and go"), ("pin 7", "pin ***"), ("port 27", "port 27"),
        ("a\nkey: x\nb", "a\nkey: ***\nb"), ("a\r\nkey: x\r\nb\r\n", "a\r\nkey: ***\nb\r\n"),
        ("sv_password geheim", "sv_password ***"),
        ("server_name: Hockey Night in Turkey", "server_name: Hockey Night in Turkey"),
        ("name=My Key Largo", "name=My Key Largo"), ("motd Compass and Monkey", "motd Compass and Monkey"),
        ("BYPASS=true", "BYPASS=true"), ("unhunter2ed hunter27 xhunter2", "unhunter2ed hunter27 xhunter2"),
        ("$API_KEY ${HOME}", "$API_KEY ${HOME}"), ("hunter2: hunter2, (hunter2) _hunter2_", "***: ***, (***) _***_"),
        ("adminPass=x", "adminPass=***"),
        ("<key>x</key>", "<key>x</key>"), ("\"apiKey\" : \"x\"", "\"apiKey\" : \"***"),
        ("", ""),
        ("<property name=\"ServerPassword\" value=\"geheim\"/>", "<property name=\"ServerPassword\" value=\"***"),
        ("<add key=\"AdminPass\" value='geheim' />", "<add key=\"AdminPass\" value='***"),
        ("<add key=\"Port\" value=\"7777\" />", "<add key=\"Port\" value=\"7777\" />"),
        (
            "<property name=\"Port\" value=\"5\"/>\n<a value=\"6\"/>",
            "<property name=\"Port\" value=\"5\"/>\n<a value=\"6\"/>"
        ),
        ("{\"name\": \"rcon.password\",\n \"value\": \"geheim\"}", "{\"name\": \"rcon.password\",\n \"value\": \"***"),
        ("<ServerPass>geheim</ServerPass>", "<ServerPass>***"),
        ("<Password>\n  geheim\n</Password>", "<Password>\n  ***\n</Password>"),
        ("srcds -game tf +rcon_password geheim", "srcds -game tf +rcon_password ***"),
        ("run --port 5 --api-key geheim", "run --port 5 --api-key ***"), ("run -pass \"geheim\"", "run -pass \"***"),
        ("; sv_password geheim", "; sv_password ***"), ("# password: geheim", "# password: ***"),
        ("rcon=geheim", "rcon=***"), ("rcon: true", "rcon: true"), ("rcon.port=25575", "rcon.port=25575"),
        ("requirePassword=true\nenablePassword: \"no\"", "requirePassword=true\nenablePassword: \"no\""),
        ("password=no1knows", "password=***"), ("password=!?$%", "password=***"),
        ("password: -geheim", "password: ***"),
        ("password:\n  geheim\nport: 5", "password:\n  ***\nport: 5"),
        ("password: >-\n  geheim\n\n  mehr\nport: 5", "password: >-\n  ***\n\n  ***\nport: 5"),
        ("{\"password\":\n\"geheim\",\n\"port\": 5}", "{\"password\":\n***\n\"port\": 5}"),
        ("\"tokens\": [\n  \"geheim\"\n],\n\"port\": 5", "\"tokens\": [\n  ***\n],\n\"port\": 5"),
        ("Password=\nPort=5", "Password=\nPort=5"), ("[password]\nport=5", "[password]\nport=5"),
        (
            "- name: RCON_PASSWORD\n  value: geheim\n- name: PORT\n  value: 5",
            "- name: RCON_PASSWORD\n  value: ***\n- name: PORT\n  value: 5"
        ),
        ("db=mysql://fan:geheim@db:3306/x", "db=mysql://fan:***@db:3306/x"),
        ("db=mysql://fan:ge@heim@db:3306/x", "db=mysql://fan:***@db:3306/x"),
        ("https://geheim@host/x y", "https://***@host/x y"),
        ("see https://host/a@b, http://[::1]:5/", "see https://host/a@b, http://[::1]:5/"),
        ("url https://discord.com/api/webhooks/12/geheim ok", "url https://discord.com/api/webhooks/*** ok"),
        ("hook = \"https://hooks.slack.com/services/T/B/geheim\"", "hook = \"https://hooks.slack.com/services/***\""),
        ("DISCORD_WEBHOOK=https://x/geheim", "DISCORD_WEBHOOK=***"),
    ])
    func `secrets are masked wherever they stand`(content: String, masked: String) {
        let secrets = SecretRedactor(environment: [
            "PASSWORD": "hunter2", "PIN_PW": "7", "SERVER_NAME": "fun", "REQUIRE_PASSWORD": "true",
        ])
        #expect(secrets.masked(content, named: "server.cfg") == masked)
    }

    @Test(arguments: [
        "sv_setsteamaccount geheim",
        "sv_licenseKey cfxk_geheim",
        "sv_licenseKey \"geheim\"",
        "rcon_pwd geheim",
        "rconpass geheim",
        "rcon-pass geheim",
        "sv_pw geheim",
        "serverpw geheim",
        "ServerPwd \"geheim\"",
        "adminpass geheim",
        "webadminpass geheim",
        "g_pass geheim",
        "set rcon_pw geheim",
        "masterkey geheim",
        "hostname \"x\"; rcon_password \"geheim\"",
        "rcon_password 0; sv_password geheim",
        "bind F1 \"rcon_password geheim\"",
        "alias a \"sv_password geheim\"",
        "passwords:\n- geheim",
        "admin_tokens:\n- geheim\n- geheim",
        "password: # note\n  geheim",
        "password: !!str\n  geheim",
        "password: &a\n  geheim",
        "password: abc\n  geheim",
        "password: \"a\n geheim\"",
        "password = \"\"\"\ngeheim\n\"\"\"",
        "password = '''\ngeheim\n'''",
        "password = \\\ngeheim",
        "<setting name=\"ServerPassword\">geheim</setting>",
        "<property value=\"geheim\" name=\"ServerPassword\"/>",
        "<Password>\ngeheim\n</Password>",
        "<key>Password</key>\n<string>geheim</string>",
        "{\"value\":\"geheim\",\"name\":\"password\"}",
        "{\"key\":\"password\",\n\"value\":\"geheim\"}",
        "\"passwords\": [\n\"a\",\n\"geheim\"\n]",
        "\"passwords\": [\"a\",\n\"geheim\"]",
        "\"password\":\n\"geheim\"}",
        "\"password\":\n{\"value\":\"geheim\"}",
        "-----BEGIN RSA PRIVATE KEY-----\ngeheim\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\ngeheim",
        "key: geheim # value from portal",
        "{\"key\":\"geheim\",\"value_x\":1}",
        "setting: password=geheim",
        "mysqlpass=geheim",
        "ftppass=geheim",
        "mailpass=geheim",
        "proxypass=geheim",
        "operpass=geheim",
        "redispass=geheim",
        "sqlpw=geheim",
        "mysqlpwd=geheim",
        "servicekey=geheim",
        "clusterkey=geheim",
        "requirepass geheim",
        "password=1,geheim",
        "password=\"true\"geheim",
        "password=no#geheim",
        "discord.com/api/webhooks/12/geheim",
        "hooks.slack.com/services/T/B/geheim",
        "PSK=geheim",
        "pin: geheim",
        "otp: geheim",
        "cookie: geheim",
        "Passwort=geheim",
        "mot_de_passe=geheim",
        "wachtwoord=geheim",
        "login admin geheim",
        "rcon login geheim",
        "set rcon_pw \"geheim\"",
        "say hi; sv_password geheim",
        "exec sv_setsteamaccount geheim",
        "/login admin geheim",
        "password1=geheim",
        "admin_password2: geheim",
        "steamcmd +login user geheim +quit",
        "+login user geheim",
        "LoginDatabaseInfo = \"127.0.0.1;3306;user;geheim;auth\"",
        "root:geheim@tcp(127.0.0.1:3306)/db",
        "[\"-password\",\"geheim\"]",
        "- -password\n- geheim",
        "password: !!str geheim",
        "password: &a geheim",
        "<serverPassword value=\"geheim\" />",
        "<AdminPass><![CDATA[geheim]]></AdminPass>",
        "define('DB_PASSWORD', 'geheim');",
        "config.set(\"password\", \"geheim\")",
        "machine x login u password geheim",
        "sv_privateclientpass geheim",
        "g_privpass geheim",
        "refpass geheim",
        "vippass=geheim",
        "passcode: geheim",
        "https://hooks.slack.com/workflows/geheim",
        "https://a.webhook.office.com/webhookb2/geheim",
        "https://a/open-apis/bot/v2/hook/geheim",
        "enablecheats geheim",
        "AdminLogin geheim",
        "authme register bob geheim",
        "//u:geheim@host/x",
        "password=/geheim",
        "password=<geheim",
        "password: )geheim",
    ])
    func `no form of a secret leaks`(content: String) {
        let masked = SecretRedactor(environment: [:]).masked(content, named: "server.cfg")
        #expect(!masked.contains("geheim"), "\(masked)")
    }

    @Test(arguments: [
        "max_tokens: 300",
        "token_count=5",
        "pass_count = 3",
        "MinPasswordLength=8",
        "authorization_mode=whitelist",
        "GameKeyBinding=F",
        "motd=Token Ring Night",
        "Secret lair of the dragon: enter",
        "Welcome! Password is on discord",
        "rcon:\n  enabled: true\n  port: 27020",
        "secret_room:\n  x: 5",
        "hotkey=F",
        "monkey: 5",
        "<key>Port</key>\n<string>5</string>",
        "name: Turkey\nvalue: 7",
        "password: null\nport: 5",
        "passwords: []\nport: 5",
        "{\"password\": \"\", \"port\": 5}",
        "{\"password\": false, \"port\": 5}",
        "bind F1 \"say hello\"",
        "the login server is up and running now",
        "keybind.jump.key = SPACE",
        "public_key: 5",
        "primary_key = id",
        "map_key=M",
        "item_key=x",
        "GameKey=F",
        "PlayerKey=F",
        "rcon: enabled",
        "rcon: {port: 5}",
        "season_pass: gold",
        "render_pass = 2",
        "token_drop_chance=0.5",
        "webhook_username: Bot",
        "wrong_password_message: no",
        "mapPin=4",
        "ServerPassword=\n  Port=5",
    ])
    func `honest text stays as it is`(content: String) {
        #expect(SecretRedactor(environment: [:]).masked(content, named: "server.cfg") == content)
    }

    @Test func `of two secrets the longer one is hidden first`() {
        let secrets = SecretRedactor(environment: ["A_PASSWORD": "abcd", "B_PASSWORD": "abcd efgh"])
        #expect(secrets.hidden(in: "x abcd efgh, abcd") == "x ***, ***")
    }

    @Test func `a secret is hidden also as JSON writes it`() {
        let secrets = SecretRedactor(environment: ["PASSWORD": .string("hun\"ter22")])
        #expect(secrets.hidden(in: #"{"p": "hun\"ter22"} hun"ter22"#) == #"{"p": "***"} ***"#)
    }

    @Test func `a file of a secret's name is masked whole`() {
        #expect(SecretRedactor(environment: [:]).masked("x", named: "admin_password.txt") == "***")
    }

    @Test(arguments: [
        ("plain", "plain"), ("2456:2456/udp", "2456:2456/udp"), ("A=b c", "A=b c"), ("A=$x", "A=$$x"),
        ("yes", "\"yes\""),
        ("A=b: c", "\"A=b: c\""), ("A=b #c", "\"A=b #c\""), ("A=\"q\"", "\"A=\\\"q\\\"\""), ("A=l\nm", "\"A=l\\nm\""),
        ("", "\"\""),
        ("1000:1000", "1000:1000"), ("*x", "\"*x\""), ("A=ä", "\"A=ä\""), ("A= ", "\"A= \""), ("123", "\"123\""),
    ])
    func `a value reads back from YAML as it was`(text: String, scalar: String) {
        #expect(ComposeFile.scalar(text) == scalar)
    }

    @Test func `a drawn name is new and fit`() {
        for _ in 0..<200 {
            let name = ServerNameGenerator.draw { _ in false }
            #expect(name.map(NewName.allows) == true)
        }
        #expect(ServerNameGenerator.draw { _ in true } == nil)
    }
}
