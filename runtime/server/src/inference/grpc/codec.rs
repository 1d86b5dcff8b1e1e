//! Messages of gRPC to and from bytes. Only what is told of bytes that are no message differs from tonic's own codec: there it is a
//! defect of the server, here it is a faulty request.

use std::marker::PhantomData;

use prost::Message;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder},
};
use tonic_prost::{ProstCodec, ProstEncoder};

use super::super::failure::Failure;

/// The codec of the protocol's service.
#[derive(Debug)]
pub(crate) struct Faulty<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Faulty<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for Faulty<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Reader<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        Reader(PhantomData)
    }
}

/// Reads messages of one kind.
#[derive(Debug)]
pub(crate) struct Reader<U>(PhantomData<U>);

impl<U: Message + Default + Send + 'static> Decoder for Reader<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let message = U::decode(bytes);
        message
            .map(Some)
            .map_err(|error| Failure::invalid(format!("the message is no protobuf of this method: {error}")).into())
    }
}
