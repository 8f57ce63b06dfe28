"""在四大名著一类多本书的对话上微调，验证数据单独给。用法：python train_mingzhu.py --help"""

from custome.cli.seed import train_mingzhu

if __name__ == "__main__":
    raise SystemExit(train_mingzhu())
