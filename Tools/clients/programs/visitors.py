"""usage: visitors.py SOCKET VISITORS REQUESTS: visits /write over a socket, then /count once.

Fails if an answer is not 200."""

import collections
import http.client
import socket
import sys
import threading
import time

path, visitor_count, request_count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
answers = collections.Counter()


class Connection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(path)


def get(page):
    connection = Connection("localhost")
    connection.request("GET", page)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def visit():
    for _ in range(request_count):
        answers[get("/write")] += 1


for _ in range(600):
    try:
        get("/")
        break
    except OSError:
        time.sleep(0.1)
visitors = [threading.Thread(target=visit) for _ in range(visitor_count)]
[visitor.start() for visitor in visitors]
[visitor.join() for visitor in visitors]
print(dict(answers), get("/count"))
sys.exit(0 if {status for status, _ in answers} == {200} else 1)
