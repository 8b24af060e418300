"""A small digital twin: all it knows of the services it has from /run/dtaas/services.env.

  twin.py amqp-talk TEXT         says something to itself by a queue, and says what came back
  twin.py amqp-keep TEXT         leaves something in a durable queue
  twin.py amqp-kept              says how much lies in that queue
  twin.py amqp-enter VHOST       says "open", or what it was refused with
  twin.py amqp-stay              says "in" when it is connected, and "out" when it is not any more
  twin.py mqtt-talk TEXT         says something to itself by a topic, and says what came back
  twin.py mqtt-say TOPIC TEXT    says something that is kept for whoever comes later
  twin.py mqtt-hear TOPIC        says what is kept there, or "nothing"
  twin.py influx-talk VALUE      writes a measurement to its bucket, and says what is there then
  twin.py influx-enter BUCKET    says "open", or the statuses that reading and writing were refused with
  twin.py grafana                says who it is there, and whether its data source works

  twin.py sql DATABASE QUESTION  says what the database answers, or what it was refused with

NAME, PASSWORD_OF_AMQP, PASSWORD_OF_MQTT, TOKEN and PASSWORD_OF_GRAFANA are used in place of what is in the file.
"""

import os
import ssl
import sys
import time

import paho.mqtt.client as mqtt
import pika
import pika.exceptions

services = {}
with open("/run/dtaas/services.env", encoding="utf-8") as file:
    for line in file:
        name, _, value = line.strip().partition("=")
        services[name] = value

for name, place in (
    ("NAME", "RABBITMQ_USER"),
    ("NAME", "MQTT_USER"),
    ("PASSWORD_OF_AMQP", "RABBITMQ_PASSWORD"),
    ("PASSWORD_OF_MQTT", "MQTT_PASSWORD"),
    ("TOKEN", "INFLUXDB_V2_TOKEN"),
    ("NAME", "INFLUXDB_BUCKET"),
    ("NAME", "GRAFANA_USER"),
    ("PASSWORD_OF_GRAFANA", "GRAFANA_PASSWORD"),
):
    services[place] = os.environ.get(name, services.get(place))

QUEUE = "measurements"


def amqp(vhost=services.get("RABBITMQ_VHOST")):
    host = services["RABBITMQ_HOST"]
    context = ssl.create_default_context(cafile=services["DTAAS_CA"])
    return pika.BlockingConnection(
        pika.ConnectionParameters(
            host=host,
            port=int(services["RABBITMQ_PORT"]),
            virtual_host=vhost,
            credentials=pika.PlainCredentials(services["RABBITMQ_USER"], services["RABBITMQ_PASSWORD"]),
            ssl_options=pika.SSLOptions(context, host),
        )
    )


def amqp_talk(text):
    channel = amqp().channel()
    queue = channel.queue_declare("", exclusive=True).method.queue
    channel.basic_publish("", queue, text.encode())
    print(channel.basic_get(queue, auto_ack=True)[2].decode())


def amqp_keep(text):
    channel = amqp().channel()
    channel.confirm_delivery()
    channel.queue_declare(QUEUE, durable=True)
    channel.basic_publish("", QUEUE, text.encode(), pika.BasicProperties(delivery_mode=2))


def amqp_kept():
    print(amqp().channel().queue_declare(QUEUE, durable=True, passive=True).method.message_count)


def amqp_enter(vhost):
    try:
        amqp(vhost)
        print("open")
    except pika.exceptions.AMQPError as error:
        print(type(error).__name__)


def amqp_stay():
    connection = amqp()
    print("in", flush=True)
    try:
        while True:
            connection.process_data_events(time_limit=1)
    except pika.exceptions.AMQPError:
        print("out", flush=True)


class Talker:
    """A client that is connected, or knows why it is not."""

    def __init__(self):
        self.heard, self.code = [], None
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.client.username_pw_set(services["MQTT_USER"], services["MQTT_PASSWORD"])
        self.client.tls_set(ca_certs=services["DTAAS_CA"])
        self.client.on_connect = lambda _client, _data, _flags, code, _properties: setattr(self, "code", code)
        self.client.on_message = lambda _client, _data, message: self.heard.append(message.payload.decode())
        self.client.connect(services["MQTT_HOST"], int(services["MQTT_PORT"]))
        self.client.loop_start()
        self.until(lambda: self.code is not None)
        if self.code.is_failure:
            print(self.code)
            sys.exit()

    @staticmethod
    def until(true, seconds=10):
        end = time.monotonic() + seconds
        while not true() and time.monotonic() < end:
            time.sleep(0.02)

    def say(self, topic, text, keep):
        self.client.publish(topic, text, qos=1, retain=keep).wait_for_publish(10)


def mqtt_talk(text):
    talker, topic = Talker(), services["MQTT_TOPIC_PREFIX"] + "talk"
    talker.client.subscribe(topic, qos=1)
    time.sleep(0.2)
    talker.say(topic, text, False)
    talker.until(lambda: talker.heard)
    print(*talker.heard)


def mqtt_say(topic, text):
    Talker().say(topic, text, True)


def mqtt_hear(topic):
    talker = Talker()
    talker.client.subscribe(topic, qos=1)
    talker.until(lambda: talker.heard, 2)
    print(*talker.heard or ["nothing"])


def influx():
    from influxdb_client import InfluxDBClient

    os.environ.update({name: what for name, what in services.items() if what is not None})
    return InfluxDBClient.from_env_properties()


def influx_write(client, bucket, number):
    from influxdb_client import Point
    from influxdb_client.client.write_api import SYNCHRONOUS

    point = Point("room").field("temperature", float(number))
    client.write_api(write_options=SYNCHRONOUS).write(bucket, record=point)


def influx_read(client, bucket):
    tables = client.query_api().query(f'from(bucket:"{bucket}") |> range(start: -1h)')
    return [record.get_value() for table in tables for record in table.records]


def influx_talk(number):
    with influx() as client:
        influx_write(client, services["INFLUXDB_BUCKET"], number)
        print(*influx_read(client, services["INFLUXDB_BUCKET"]))


def influx_enter(bucket):
    from influxdb_client.rest import ApiException

    said = []
    with influx() as client:
        for act in (lambda: influx_read(client, bucket), lambda: influx_write(client, bucket, "0")):
            try:
                act()
                said.append("open")
            except ApiException as error:
                said.append(str(error.status))
    print(*said)


def grafana():
    import base64
    import json
    import urllib.error
    import urllib.request

    who = f"{services['GRAFANA_USER']}:{services['GRAFANA_PASSWORD']}".encode()
    headers = {"Authorization": "Basic " + base64.b64encode(who).decode()}
    context = ssl.create_default_context(cafile=services["DTAAS_CA"])

    def ask(path):
        request = urllib.request.Request(services["GRAFANA_URL"] + path, headers=headers)
        try:
            with urllib.request.urlopen(request, context=context) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    said = ask("api/user")
    print(said.get("login", said.get("message")), end="")
    if "login" in said:
        print(" of", *(one["name"] for one in ask("api/user/orgs")), end="")
        print(";", ask("api/datasources/uid/dtaas-influxdb/health")["message"], end="")
    print()


def sql(database, question):
    import psycopg

    try:
        with psycopg.connect(
            host=services["DB_HOST"],
            port=services["DB_PORT"],
            user=os.environ.get("NAME", services["DB_USER"]),
            password=os.environ.get("PASSWORD_OF_DB", services["DB_PASSWORD"]),
            dbname=database,
            sslmode="verify-full",
            sslrootcert=services["DTAAS_CA"],
            autocommit=True,
        ) as connection:
            cursor = connection.execute(question)
            print(*(cursor.fetchone() if cursor.description else ["done"]))
    except psycopg.Error as error:
        print(type(error).__name__, str(error).strip().splitlines()[-1].split("FATAL:")[-1].strip())


globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
