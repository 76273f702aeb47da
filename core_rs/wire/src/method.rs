//! The methods that bytes can be for.

use prost::DecodeError;

use crate::decode;
use crate::proto::lockstock::v1::command::Operation as Asked;

/// The service that both doors serve.
pub const STOCK_SERVICE: &str = "lockstock.v1.StockService";
const DOCUMENTS: &str = "lockstock.internal.v1.Documents";

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
    /// One operation, read from the bytes.
    Operation(Box<Result<Asked, DecodeError>>),
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
}

/// Finds `/service/Method`, and reads the bytes if it is an operation.
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
            _ => decode::read(method, bytes).map(|asked| Method::Operation(Box::new(asked))),
        },
        (DOCUMENTS, Caller::Planner) => match method {
            "PutDocuments" => Some(Method::PutDocuments),
            "PutDocumentsBatch" => Some(Method::PutDocumentsBatch),
            "ListDocuments" => Some(Method::ListDocuments),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use lockstock_stock::event::Operation;
    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn every_method_of_the_service_is_found_and_reads_its_own_request() {
        let set = FileDescriptorSet::decode(crate::proto::DESCRIPTORS).unwrap();
        let service =
            set.file.iter().flat_map(|file| &file.service).find(|it| it.name() == "StockService").unwrap();
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
        for method in &service.method {
            let path = format!("/{STOCK_SERVICE}/{}", method.name());
            let found = find(Caller::Outside, &path, &[]).unwrap_or_else(|| panic!("{path} is not served"));
            if let Method::Operation(asked) = found {
                let operation = decode::operation(asked.as_ref().as_ref().unwrap());
                assert_eq!(format!("{operation:?}"), method.name());
                assert_eq!(method.input_type(), format!(".lockstock.v1.{}Request", method.name()));
                operations.push(operation);
            } else {
                assert!(others.contains(&method.name()), "{path}");
            }
        }
        assert_eq!(operations, &Operation::ALL[..operations.len()]);
        assert_eq!(operations.len(), decode::NAMES.len());
    }

    #[test]
    fn documents_are_reachable_from_within_only() {
        for method in ["PutDocuments", "PutDocumentsBatch", "ListDocuments"] {
            let path = format!("/{DOCUMENTS}/{method}");
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
        }
    }
}
