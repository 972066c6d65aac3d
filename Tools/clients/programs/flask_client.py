"""A Flask application with a connection for each request. DATABASE names the database."""

import os
import sqlite3

import flask

app = flask.Flask(__name__)


def connect():
    connection = sqlite3.connect(os.environ["DATABASE"], timeout=60)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


@app.get("/write")
def write():
    with connect() as connection:
        connection.execute("INSERT INTO t VALUES(?)", (os.getpid(),))
    return "written"


@app.get("/count")
def count():
    query = "SELECT count(*), count(DISTINCT process) > 1 FROM t"
    return repr(connect().execute(query).fetchone())
