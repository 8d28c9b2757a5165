#!/usr/bin/env python3
"""Features by HTTP as a user of FastAPI and PyTorch would serve them, to set beside mae_serve.

    fastapi_service.py --config tiny4 --precision int8 --threads 2 --port 8081
    fastapi_service.py --config tiny4 --write-model model.safetensors

POST /v1/features takes a picture and answers the mean of its patch tokens as float32, as mae_serve does
with Accept: application/octet-stream. One process of uvicorn reads requests, its threads decode pictures
by Pillow, another computes them: one by one, or by --max-batch those that wait at once. The encoder is
that of pytorch_mae.py, with weights drawn from a seed; --write-model writes them under the official names,
for mae_serve with --heads, --norm-epsilon 1e-6 and --statistics imagenet, and ends. int8 is PyTorch's
quantize_dynamic of all linear layers, which has one scale for a batch: who else is in it changes an answer
a little.

Needs fastapi, uvicorn (faster with uvloop and httptools: "uvicorn[standard]"), pillow, numpy and torch.
"""
import argparse
import asyncio
import concurrent.futures
import contextlib
import importlib.util
import io
import json
import socket
import struct
import sys
import time
import warnings

try:
    import fastapi
    import numpy as np
    import torch
    import uvicorn
    from PIL import Image, ImageOps

    import pytorch_features
    import pytorch_mae
except ImportError as missing:
    sys.exit(f"fastapi_service.py: {missing}; it needs: pip install fastapi 'uvicorn[standard]' pillow numpy torch")

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
OFFICIAL_NAMES = {"embed": "patch_embed.proj", "cls": "cls_token", "pos": "pos_embed", "mlp.0": "mlp.fc1",
                  "mlp.2": "mlp.fc2"}


def write_model(model, path):
    """The encoder's tensors as a safetensors file with the official names."""
    header, data, size = {}, [], 0
    for name, tensor in model.state_dict().items():
        if name.startswith(("dec_", "mask_token", "head")):
            continue
        for ours, official in OFFICIAL_NAMES.items():
            name = name.replace(ours, official)
        data.append(tensor.numpy().astype("<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [size, size + len(data[-1])]}
        size += len(data[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.writelines(data)


def pixels_of(body, side):
    """The bytes (side, side, 3) of a picture as the model takes it."""
    picture = Image.open(io.BytesIO(body)).convert("RGB")
    if picture.size != (side, side):
        picture = ImageOps.fit(picture, (side, side), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(picture))


class Encoder:
    """Makes features (n, D) of bytes (side, side, 3)."""

    def __init__(self, model, precision):
        self.network = pytorch_features.Features(model).eval()
        if precision == "int8":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it is deprecated
                self.network = torch.ao.quantization.quantize_dynamic(
                    self.network, {torch.nn.Linear}, dtype=torch.qint8)
        self.mean, self.deviation = (torch.tensor(values).reshape(3, 1, 1) for values in (MEAN, DEVIATION))

    def __call__(self, images):
        with torch.inference_mode():
            pixels = torch.stack(images).permute(0, 3, 1, 2).float() / 255
            return self.network((pixels - self.mean) / self.deviation).numpy()

    def take_faster_attention(self, images):
        def seconds(fused):
            pytorch_mae.Attention.fused = fused
            self(images)
            times = []
            for _ in range(5):
                start = time.perf_counter()
                self(images)
                times.append(time.perf_counter() - start)
            return min(times)

        pytorch_mae.Attention.fused = pytorch_mae.Attention.fused and seconds(True) < seconds(False)


class Batches:
    """Images of several requests, encoded on threads of their own: `at_once` batches at a time, each of those that
    wait then."""

    def __init__(self, encoder, most, at_once):
        self.encoder, self.most, self.at_once = encoder, most, at_once
        self.waiting = asyncio.Queue()

    async def encode(self, image):
        answer = asyncio.get_running_loop().create_future()
        self.waiting.put_nowait((image, answer))
        return await answer

    async def work(self, threads):
        while True:
            batch = [await self.waiting.get()]
            while len(batch) < self.most and not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            images, answers = zip(*batch)
            try:
                rows = await asyncio.get_running_loop().run_in_executor(threads, self.encoder, images)
            except Exception as error:
                for answer in answers:
                    answer.set_exception(error)
            else:
                for answer, row in zip(answers, rows):
                    answer.set_result(row)

    @contextlib.asynccontextmanager
    async def running(self, _app):
        with concurrent.futures.ThreadPoolExecutor(self.at_once) as threads:
            tasks = [asyncio.create_task(self.work(threads)) for _ in range(self.at_once)]
            yield
            for task in tasks:
                task.cancel()


def service(batches, side):
    app = fastapi.FastAPI(lifespan=batches.running)

    @app.post("/v1/features")
    async def features(request: fastapi.Request):
        body = await request.body()
        try:
            image = await asyncio.to_thread(pixels_of, body, side)
        except OSError as error:
            raise fastapi.HTTPException(400, "no picture") from error
        row = await batches.encode(image)
        return fastapi.Response(row.tobytes(), media_type="application/octet-stream",
                                headers={"X-MAE-Shape": f"1,{row.size}"})

    @app.get("/healthz")
    async def health():
        return "ok"

    return app


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None):
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()
            print(f"listening at http://{host}:{port}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", choices=pytorch_mae.CONFIGS, default="tiny4")
    parser.add_argument("--precision", choices=["fp32", "int8"], default="fp32")
    parser.add_argument("--threads", type=int, default=2, help="that compute")
    parser.add_argument("--max-batch", type=int, default=1, help="images that are encoded together")
    parser.add_argument("--at-once", type=int, default=1, help="batches at a time, which share the threads")
    parser.add_argument("--port", type=int, default=8081, help="0: any free one")
    parser.add_argument("--seed", type=int, default=0, help="of the weights")
    parser.add_argument("--write-model", metavar="FILE", help="only write the weights")
    pytorch_mae.add_attention(parser)
    a = parser.parse_args()
    for flag in ("threads", "max_batch", "at_once"):
        if getattr(a, flag) < 1:
            parser.error(f"--{flag.replace('_', '-')} takes 1 or more")
    torch.manual_seed(a.seed)
    config = pytorch_mae.CONFIGS[a.config]
    model = pytorch_mae.MaskedAutoencoder(**config)
    if a.write_model:
        write_model(model, a.write_model)
        return
    pytorch_mae.choose_attention(parser, a.attention)
    torch.set_num_threads(max(1, a.threads // a.at_once))
    encoder = Encoder(model, a.precision)
    if a.attention is None:
        blank = torch.zeros(config["image"], config["image"], 3, dtype=torch.uint8)
        encoder.take_faster_attention([blank] * a.max_batch)
    settings = uvicorn.Config(service(Batches(encoder, a.max_batch, a.at_once), config["image"]), host="127.0.0.1",
                          port=a.port, log_level="warning", access_log=False)
    attention = "fused" if pytorch_mae.Attention.fused else "written-out"
    loop = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    print(f"FastAPI {fastapi.__version__}, uvicorn {uvicorn.__version__} ({loop}), PyTorch {torch.__version__} "
          f"{a.precision} {attention}", flush=True)
    Server(settings).run()


if __name__ == "__main__":
    main()
