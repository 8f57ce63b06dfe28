"""聊天页。用法：python chat_server.py --help"""

from custome.cli.seed import chat_server

if __name__ == "__main__":
    raise SystemExit(chat_server())
