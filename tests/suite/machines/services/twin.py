"""A small digital twin: all it knows of the services it has from /run/dtaas/services.env.

  twin.py amqp-talk TEXT         says something to itself by a queue, and says what came back
  twin.py amqp-keep TEXT         leaves something in a durable queue
  twin.py amqp-kept              says how much lies in that queue
  twin.py amqp-enter VHOST       says "open", or what it was refused with
  twin.py amqp-stay              says "in" when it is connected, and "out" when it is not any more
  twin.py mqtt-talk TEXT         says something to itself by a topic, and says what came back
  twin.py mqtt-say TOPIC TEXT    says something that is kept for whoever comes later
  twin.py mqtt-hear TOPIC        says what is kept there, or "nothing"

  twin.py sql DATABASE QUESTION  says what the database answers, or what it was refused with

NAME, PASSWORD_OF_AMQP and PASSWORD_OF_MQTT are used in place of what is in the file.
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
