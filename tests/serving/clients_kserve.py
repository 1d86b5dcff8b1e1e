"""The protocol as KServe's client speaks it. In a process of its own: its messages have the names of tritonclient's.

    clients_kserve.py ADDRESS
"""

import asyncio

import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

from cases import ADDRESS, case, run


@case
def health_for_kserve():
    async def ask():
        client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=30))
        base = f"http://{ADDRESS}"
        assert await client.is_server_live(base) is True
        assert await client.is_server_ready(base) is True
        assert await client.is_model_ready(base, "two") is True
        try:
            assert await client.is_model_ready(base, "broken") is False
        finally:
            await client.close()
    asyncio.run(ask())


@case
def kserve_reads_answers_and_errors():
    async def ask():
        client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=30))
        base, a = f"http://{ADDRESS}", np.array([[1, 2]], np.float32)
        def request(model, binary):
            inputs = [InferInput(name, [1, 2], "FP32") for name in "ab"]
            for one in inputs:
                one.set_data_from_numpy(a, binary_data=binary)
            return InferRequest(model_name=model, infer_inputs=inputs)
        for binary in (True, False):
            answer = await client.infer(base, request("two", binary), model_name="two")
            assert answer.model_name == "two"
            assert np.allclose(answer.outputs[0].as_numpy(), a + a)
        try:
            await client.infer(base, request("nope", False), model_name="nope")
            raise AssertionError("it was not refused")
        except httpx.HTTPStatusError as error:
            assert error.response.status_code == 404 and "nope" in str(error), str(error)
        finally:
            await client.close()
    asyncio.run(ask())


@case
def kserve_over_grpc():
    async def ask():
        client = InferenceGRPCClient(ADDRESS, timeout=30)
        inputs = [InferInput(name, [1, 2], "FP32", data=[1.0, 2.0]) for name in "ab"]
        answer = await client.infer(InferRequest(model_name="two", infer_inputs=inputs))
        assert np.allclose(answer.outputs[0].as_numpy(), [[2, 4]]), answer
        assert await client.is_server_ready() and await client.is_server_live() and await client.is_model_ready("two")
        await client.close()
    asyncio.run(ask())


run()
