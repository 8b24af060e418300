"""The stand-in for InfluxDB: points, queries, TLS."""

import gzip

from servers import InfluxDB, ask, certificate

ANNOTATIONS = ("datatype", "group", "default")


class Data(InfluxDB):
    def setUp(self):
        super().setUp()
        self.start()
        self.set_up()

    def test_come_out_as_they_went_in(self):
        self.bucket("alice")
        lines = ('pump,place=hall speed=1.5,on=true 1700000000\npump,place=hall speed=2 1700000060\n# a comment\n'
                 'text s="a \\"b\\" c",n=3i 1700000000')
        self.assertEqual(self.write("alice", lines, more="&precision=s").status, 204)
        flux = 'from(bucket: "alice") |> range(start: 0) |> filter(fn: (r) => r._measurement == "pump" and r._field == "speed")'
        answer = self.query(flux + "", annotations=ANNOTATIONS)
        self.assertEqual(answer.headers["Content-Type"], "text/csv; charset=utf-8")
        rows = answer.text.split("\r\n")
        self.assertEqual(rows[0], "#datatype,string,long,dateTime:RFC3339,dateTime:RFC3339,dateTime:RFC3339,double,string,string,string")
        self.assertEqual(rows[1], "#group,false,false,true,true,false,false,true,true,true")
        self.assertEqual(rows[2], "#default,_result,,,,,,,,")
        self.assertEqual(rows[3], ",result,table,_start,_stop,_time,_value,_field,_measurement,place")
        self.assertTrue(rows[4].startswith(",,0,1970-01-01T00:00:00Z,"), rows[4])
        self.assertTrue(rows[4].endswith(",2023-11-14T22:13:20Z,1.5,speed,pump,hall"), rows[4])
        self.assertTrue(rows[5].endswith(",2023-11-14T22:14:20Z,2,speed,pump,hall"), rows[5])
        self.assertEqual(rows[6:], ["", ""])
        plain = self.query('from(bucket: "alice") |> range(start: 0) |> filter(fn: (r) => r["_field"] == "s")').text
        self.assertTrue(plain.startswith(",result,table,_start"))
        self.assertIn(',_result,0,1970-01-01T00:00:00Z,', plain)
        self.assertIn('"a ""b"" c",s,text', plain)

    def test_may_come_compressed(self):
        body = gzip.compress(b"m v=1")
        headers = {"Authorization": "Token operator", "Content-Encoding": "gzip", "Content-Type": "text/plain"}
        self.assertEqual(ask("POST", f"{self.url}/api/v2/write?org=plant&bucket=first", body, headers).status, 204)
        self.assertIn(",1,v,m", self.query('from(bucket: "first") |> range(start: -1h)').text)

    def test_go_only_where_the_token_may(self):
        alice, bob = self.bucket("alice"), self.bucket("bob")
        reader, _ = self.token(("read", alice))
        writer, id = self.token(("write", alice))
        self.refused(self.write("alice", "m v=1", reader), 403, "insufficient permissions for write")
        self.assertEqual(self.write("alice", "m v=1", writer).status, 204)
        self.assertEqual(self.write(alice, "m v=1", writer).status, 204)
        self.assertEqual(self.write(bob, "m v=1", writer).status, 403)
        asked = 'from(bucket: "{}") |> range(start: -1h)'
        none = 'failed to initialize execute state: could not find bucket "{}"'
        self.assertIn(",1,v,m", self.query(asked.format("alice"), reader).text)
        self.refused(self.query(asked.format("alice"), writer), 404, none.format("alice"))
        self.refused(self.query(asked.format("bob"), reader), 404, none.format("bob"))
        self.assertIn("alice", self.query("buckets()", reader).text)
        self.assertNotIn("bob", self.query("buckets()", reader).text)
        self.api("PATCH", f"/authorizations/{id}", {"status": "inactive"})
        self.assertEqual(self.write("alice", "m v=1", writer).status, 403)

    def test_are_refused_as_the_real_ones_are(self):
        self.refused(self.write("none", "m v=1"), 404, 'bucket "none" not found')
        self.refused(self.write("first", "m"), 400, "unable to parse 'm': missing fields")
        self.refused(self.write("first", "m v=x"), 400, "unable to parse 'm v=x': invalid boolean")
        self.refused(self.write("first", ""), 400, "writing requires points")
        self.refused(self.write("first", "m v=1", more="&precision=min"), 400,
                     "invalid precision; valid precision units are ns, us, ms, and s")
        self.assertEqual(self.write("first", "m v=1").status, 204)
        self.refused(self.write("first", "m v=1i"), 422, "failure writing points to database: partial write: field type conflict: "
                     'input field "v" on measurement "m" is type integer, already exists as type float dropped=1')

    def test_are_asked_only_as_the_stand_in_can(self):
        bounded = self.query('from(bucket: "first")')
        self.assertEqual(bounded.status, 400)
        self.assertIn("cannot submit unbounded read", bounded.json["message"])
        mean = self.query('from(bucket: "first") |> range(start: -1h) |> mean()')
        self.refused(mean, 400, "compilation failed: the stand-in knows no Flux like 'mean()'")
        self.assertEqual(self.api("POST", "/query?org=none", {"query": "buckets()"}).status, 404)
        self.assertEqual(self.api("POST", "/query?org=plant", "buckets()", type="application/vnd.flux").status, 200)
        self.assertEqual(self.api("POST", "/query?org=plant", "buckets()", type="text/plain").status, 400)


class Tls(InfluxDB):
    def test_shows_the_certificate_that_was_there_at_the_start(self):
        paths = certificate(self.directory)
        self.start({"INFLUXD_TLS_CERT": paths[0], "INFLUXD_TLS_KEY": paths[1]}, "https", paths[0])
        with open(paths[0], encoding="utf-8") as opened:
            before = opened.read()
        certificate(self.directory)
        with open(f"{self.directory}/before.pem", "w", encoding="utf-8") as kept:
            kept.write(before)
        self.assertEqual(ask("GET", f"{self.url}/health", authority=f"{self.directory}/before.pem").status, 200)
        with self.assertRaises(OSError):
            ask("GET", f"{self.url}/health", authority=paths[0])
