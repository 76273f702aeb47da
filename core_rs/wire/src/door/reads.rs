//! Reads: what a caller asks to see, at one sequence.

use lockstock_stock::decide;
use lockstock_stock::ids::Sequence;
use lockstock_stock::refusal::Refusal;
use lockstock_stock::state::State;
use prost::Message;

use super::{Called, Door, Shape, Written};
use crate::canonical::{Canonical as _, CheckAvailabilityRequest};
use crate::decode;
use crate::encode::{self, Counters};
use crate::proto::lockstock::{internal::v1 as internal, v1};

impl Door {
    pub(super) fn get_stock(&self, request: &v1::GetStockRequest) -> Result<Called, Refusal> {
        let (sku, warehouses) = decode::stock(request)?;
        Ok(self.show_counters(&[sku], warehouses, Counters::stock))
    }

    pub(super) fn batch_get_stock(&self, request: &v1::BatchGetStockRequest) -> Result<Called, Refusal> {
        Ok(self.show_counters(decode::skus(&request.skus)?, &[], Counters::stocks))
    }

    pub(super) fn get_sales_stock(&self, request: &v1::GetSalesStockRequest) -> Result<Called, Refusal> {
        let (skus, channel) = decode::sales(request)?;
        Ok(self.show_read(self.engine.read(|state, _| encode::sales(state, skus, channel))))
    }

    pub(super) fn get_dispatch_stock(
        &self,
        request: &v1::GetDispatchStockRequest,
    ) -> Result<Called, Refusal> {
        let (skus, place) = decode::dispatch(request)?;
        Ok(self.show_read(self.engine.read(|state, _| encode::dispatch(state, skus, place))))
    }

    pub(super) fn get_warehouse_stock(
        &self,
        request: &v1::GetWarehouseStockRequest,
    ) -> Result<Called, Refusal> {
        let (skus, warehouses) = decode::warehouse_layer(request)?;
        Ok(self.show_counters(skus, warehouses, Counters::warehouse_layer))
    }

    /// Copies counters under the engine's lock and makes the message after it.
    fn show_counters<M: Message, S: AsRef<str>>(
        &self,
        skus: &[S],
        warehouses: &[String],
        message: fn(Counters) -> M,
    ) -> Called {
        let (copied, seen) = self.engine.read(|state, _| encode::counters(state, skus, warehouses));
        self.show_read((copied.map(message), seen))
    }

    pub(super) fn get_reservation(&self, request: &v1::GetReservationRequest) -> Result<Called, Refusal> {
        let id = decode::reservation_id(request)?;
        Ok(self.show_read(self.engine.read(|state, _| encode::reservation(state, id))))
    }

    pub(super) fn check_availability(&self, bytes: &[u8]) -> Result<Called, Refusal> {
        let mut room = Vec::new();
        let rewrite = decode::rewritten::<v1::CheckAvailabilityRequest>;
        let request = decode::read(bytes, &mut room, CheckAvailabilityRequest::read, rewrite)?;
        let demand = decode::availability(&request)?;
        Ok(self.show_read(
            self.engine
                .read(|state, now| encode::availability(state, decide::availability(state, now, &demand))),
        ))
    }

    pub(super) fn list_documents(&self, request: &internal::ListDocumentsRequest) -> Result<Called, Refusal> {
        let asked = decode::listing(request)?;
        Ok(self.show_read(self.engine.read(|state, _| {
            Ok::<_, Refusal>(encode::documents(state, asked.kind, asked.after, asked.limit, asked.only))
        })))
    }

    pub(super) fn get_documents(&self, request: &internal::GetDocumentsRequest) -> Result<Called, Refusal> {
        let (kind, ids) = decode::named(request)?;
        let read = |state: &State| Ok::<_, Refusal>(encode::named_documents(state, kind, ids));
        Ok(self.show_read(self.engine.read(|state, _| read(state))))
    }

    fn show_read<M: Message>(&self, (read, seen): (Result<M, Refusal>, Sequence)) -> Called {
        let reply = match read {
            Ok(message) => Ok(Written::into(Shape::Answer, message.encode_to_vec())),
            Err(refusal) => Err(self.statuses.failure(&refusal)),
        };
        Called { seen, reply }
    }
}
