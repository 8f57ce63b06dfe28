import sys,time,json
sys.path.insert(0,'/work/wt/retrieval/src')
from pathlib import Path
from custome.retrieval.store import *
from custome.retrieval.chunks import *
from custome.retrieval import search as S
from custome.corpus.text import split_chapters
from custome.corpus.aliases import shipped_tables
p=Path('/tmp/kb2.db'); fresh=not p.exists(); s=SqliteStore(p); texts={}
for b in ('sanguo','shuihu','xiyou','honglou'):
    x=open(f'/work/shared/novels/{b}.txt',encoding='utf-8').read(); texts[b]=x
    if fresh:
        pl=[Place(start=c.start,heading=(c.title,)) for c in split_chapters(x)]
        s.add(Document(name=b,text=x,places=tuple(pl)),chunks(x,pl))
names={}
for tb in shipped_tables().values():
    for who,al in tb.people.items():
        every=[a for a in (who,*al) if len(a)>1]
        for a in every: names.setdefault(a,[]).extend(z for z in every if z!=a)
Q=[json.loads(l) for l in open('/work/exp/qa/questions.jsonl')]
def run(nm,nb=0.3):
    S.NEIGHBOUR=nb; r={1:0,3:0,5:0,10:0}; mrr=0; n=0; t=0
    for q in Q:
        if not q['places']: continue
        n+=1; t0=time.process_time(); h=S.search(s,q['question'],10,nm); t+=time.process_time()-t0
        rank=next((i+1 for i,x in enumerate(h) if x.passage.name==q['book'] and any(x.passage.start<e and b<x.passage.end and (min(e,x.passage.end)-max(b,x.passage.start))>=0.5*min(e-b,x.passage.end-x.passage.start) for b,e in q['places'])),0)
        for k in r: r[k]+=0<rank<=k
        mrr+=1/rank if rank else 0
    print({k:round(v/n,3) for k,v in r.items()},'MRR',round(mrr/n,3),'ms',round(1000*t/n))
run(names); run({}); run(names,0.0); run(names,0.5)
