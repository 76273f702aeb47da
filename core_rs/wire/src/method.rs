//! The methods that bytes can be for.

use lockstock_stock::event::Operation;
use lockstock_stock::refusal::Refusal;

use crate::decode::{Asked, Planned, Step};

/// The service that both doors serve.
pub const STOCK_SERVICE: &str = "lockstock.v1.StockService";
/// The service whose steps the planners hand on as they came.
pub const ORDER_SERVICE: &str = "lockstock.v1.OrderService";
const DOCUMENTS: &str = "lockstock.internal.v1.Documents";
const ORDERS: &str = "lockstock.internal.v1.Orders";

/// Who calls: what lies outside the process sees the contract, the planners see their seam as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody outside.
    Outside,
    /// The planners, within this process.
    Planner,
}

/// What a method does with its bytes.
pub(crate) enum Method {
    /// One operation on stock.
    Operation(Operation),
    /// A step of an order.
    Step(Operation),
    /// The same with a plan, read from the bytes.
    Planned(Box<Result<Planned, Refusal>>),
    ExecuteBatch,
    /// One command of a stream.
    Execute,
    GetStock,
    BatchGetStock,
    GetSalesStock,
    GetDispatchStock,
    GetWarehouseStock,
    GetReservation,
    CheckAvailability,
    PutDocuments,
    PutDocumentsBatch,
    ListDocuments,
    GetDocuments,
}

/// The operation on stock that a path asks for, if it is one.
pub(crate) fn operation(path: &str) -> Option<Operation> {
    Asked::named(path.strip_prefix('/')?.strip_prefix(STOCK_SERVICE)?.strip_prefix('/')?)
}

/// Finds `/service/Method`, and reads the bytes of what is planned.
pub(crate) fn find(caller: Caller, path: &str, bytes: &[u8]) -> Option<Method> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    match (service, caller) {
        (STOCK_SERVICE, _) => match method {
            "ExecuteBatch" => Some(Method::ExecuteBatch),
            "Execute" => Some(Method::Execute),
            "GetStock" => Some(Method::GetStock),
            "BatchGetStock" => Some(Method::BatchGetStock),
            "GetSalesStock" => Some(Method::GetSalesStock),
            "GetDispatchStock" => Some(Method::GetDispatchStock),
            "GetWarehouseStock" => Some(Method::GetWarehouseStock),
            "GetReservation" => Some(Method::GetReservation),
            "CheckAvailability" => Some(Method::CheckAvailability),
            _ => Asked::named(method).map(Method::Operation),
        },
        (DOCUMENTS, Caller::Planner) => match method {
            "PutDocuments" => Some(Method::PutDocuments),
            "PutDocumentsBatch" => Some(Method::PutDocumentsBatch),
            "ListDocuments" => Some(Method::ListDocuments),
            "GetDocuments" => Some(Method::GetDocuments),
            _ => None,
        },
        (ORDER_SERVICE, Caller::Planner) => Step::named(method).map(Method::Step),
        (ORDERS, Caller::Planner) => Planned::read(method, bytes).map(|step| Method::Planned(Box::new(step))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use prost_types::{FileDescriptorSet, ServiceDescriptorProto};

    use super::*;

    fn service(name: &str) -> ServiceDescriptorProto {
        let set = FileDescriptorSet::decode(crate::proto::DESCRIPTORS).unwrap();
        let mut services = set.file.into_iter().flat_map(|file| file.service);
        services.find(|it| it.name() == name).unwrap()
    }

    #[test]
    fn every_method_of_the_service_is_found_and_reads_its_own_request() {
        let others = [
            "ExecuteBatch",
            "Execute",
            "GetStock",
            "BatchGetStock",
            "GetSalesStock",
            "GetDispatchStock",
            "GetWarehouseStock",
            "GetReservation",
            "CheckAvailability",
        ];
        let mut operations = Vec::new();
        for method in &service("StockService").method {
            let path = format!("/{STOCK_SERVICE}/{}", method.name());
            let found = find(Caller::Outside, &path, &[]).unwrap_or_else(|| panic!("{path} is not served"));
            if let Method::Operation(found) = found {
                let operation = operation(&path).unwrap();
                assert_eq!(operation, found);
                assert_eq!(format!("{operation:?}"), method.name());
                assert_eq!(method.input_type(), format!(".lockstock.v1.{}Request", method.name()));
                operations.push(operation);
            } else {
                assert!(others.contains(&method.name()), "{path}");
                assert_eq!(operation(&path), None);
            }
        }
        assert_eq!(operations, &Operation::ALL[..operations.len()]);
        assert_eq!(operations.len(), Asked::NAMES.len());
    }

    #[test]
    fn every_step_of_an_order_is_found_by_planners_alone_and_reads_its_own_request() {
        // What happened to an order stands in the database.
        let of_python = ["GetOrder", "ListOrders"];
        let mut operations = Vec::new();
        for method in service("OrderService").method.iter().filter(|it| !of_python.contains(&it.name())) {
            let path = format!("/{ORDER_SERVICE}/{}", method.name());
            assert!(find(Caller::Outside, &path, &[]).is_none());
            let Some(Method::Step(operation)) = find(Caller::Planner, &path, &[]) else {
                panic!("{path} is not served")
            };
            assert_eq!(format!("{operation:?}"), method.name());
            assert_eq!(method.input_type(), format!(".lockstock.v1.{}Request", method.name()));
            operations.push(operation);
        }
        let first = Asked::NAMES.len();
        assert_eq!(operations, &Operation::ALL[first..first + Step::NAMES.len()]);
        for method in of_python {
            assert!(find(Caller::Planner, &format!("/{ORDER_SERVICE}/{method}"), &[]).is_none());
        }
    }

    #[test]
    fn the_seam_of_the_planners_is_reachable_from_within_only() {
        let documents = ["PutDocuments", "PutDocumentsBatch", "ListDocuments", "GetDocuments"];
        let paths = documents.map(|method| format!("/{DOCUMENTS}/{method}")).into_iter();
        let orders = ["PlacePlanned", "ExchangePlanned"].map(|method| format!("/{ORDERS}/{method}"));
        for path in paths.chain(orders) {
            assert!(find(Caller::Planner, &path, &[]).is_some());
            assert!(find(Caller::Outside, &path, &[]).is_none());
        }
    }

    #[test]
    fn nothing_else_is_a_method() {
        for path in
            ["", "/", "Lock", "/lockstock.v1.StockService", "/lockstock.v1.StockService/Steal", "/a/b/c"]
        {
            assert!(find(Caller::Planner, path, &[]).is_none(), "{path}");
            assert_eq!(operation(path), None, "{path}");
        }
    }
}
