"""在《三国演义》一类单本书的对话上微调。用法：python train_sanguo.py --help"""

from custome.cli.seed import train_sanguo

if __name__ == "__main__":
    raise SystemExit(train_sanguo())
