//! One suite that every kind of destination passes.
//!
//! Each behaviour is a function in one of the modules below and a test in the module of each store,
//! such as `s3_seaweedfs::an_aborted_upload_leaves_nothing`. What is there is seen through the
//! store's own interface, past the code under test.

mod archives;
mod stores;

mod copies;
mod refusals;
mod sealed;
mod uploads;
mod wire;

/// The tests of one store, in a module of its name.
macro_rules! behaviours {
    ($module:ident, $store:ident, [$($group:ident::$behaviour:ident,)*]) => {
        mod $module {
            use crate::conformance::stores::Store;

            $(
                #[tokio::test]
                async fn $behaviour() {
                    crate::conformance::$group::$behaviour(Store::$store).await;
                }
            )*
        }
    };
}

/// What every store must do, and what is asked of this one besides.
macro_rules! suite {
    ($module:ident, $store:ident, and [$($more:tt)*]) => {
        behaviours!(
            $module,
            $store,
            [
                uploads::nothing_is_visible_before_the_commit,
                uploads::more_than_three_parts_arrive_byte_for_byte,
                uploads::an_archive_has_the_content_type_that_a_restore_demands,
                uploads::an_empty_archive_and_one_of_a_byte_are_kept,
                uploads::an_aborted_upload_leaves_nothing,
                uploads::an_upload_of_other_bytes_than_were_proved_leaves_nothing,
                uploads::repeating_an_upload_replaces_what_was_there,
                uploads::a_copy_is_there_until_its_replacement_is_committed,
                copies::odd_prefixes_are_taken_as_they_stand,
                copies::a_copy_is_found_by_its_sidecar,
                copies::a_copy_with_a_damaged_sidecar_or_a_short_archive_is_not_found,
                copies::a_listing_skips_names_that_are_not_ours,
                copies::a_read_begins_where_it_is_told_to,
                copies::a_read_of_what_is_not_there_says_so,
                sealed::a_sealed_archive_of_any_length_is_kept_and_found,
                sealed::a_sealed_upload_that_does_not_end_well_leaves_nothing,
                refusals::a_probe_leaves_nothing,
                $($more)*
            ]
        );
    };
}

macro_rules! object_store_suite {
    ($module:ident, $store:ident $(, and [$($more:tt)*])?) => {
        suite!(
            $module,
            $store,
            and [
                uploads::an_upload_that_a_killed_run_left_is_aborted_by_the_next,
                refusals::a_probe_of_a_missing_bucket_says_so,
                refusals::a_probe_with_refused_credentials_says_so,
                refusals::a_probe_of_a_dead_address_says_so,
                $($($more)*)?
            ]
        );
    };
}

suite!(
    local,
    Local,
    and [
        uploads::a_staged_file_that_a_killed_run_left_is_swept,
        refusals::a_root_that_is_missing_or_a_file_is_refused,
    ]
);
object_store_suite!(
    s3_seaweedfs,
    SeaweedFs,
    and [
        wire::bytes_that_change_on_the_way_are_never_kept,
        wire::parts_are_sent_under_a_crc_once_the_store_has_said_one_back,
    ]
);
object_store_suite!(
    s3_seaweedfs_crc,
    SeaweedFsCrc,
    and [wire::bytes_that_change_on_the_way_are_never_kept,]
);
object_store_suite!(
    s3_ministack,
    Ministack,
    and [
        wire::bytes_that_change_on_the_way_are_never_kept,
        wire::parts_are_sent_under_a_crc_once_the_store_has_said_one_back,
    ]
);
object_store_suite!(
    s3_rclone,
    Rclone,
    and [wire::parts_are_sent_signed_where_the_store_says_no_crc_back,]
);
object_store_suite!(gcs, Gcs);
object_store_suite!(azure, Azure);
