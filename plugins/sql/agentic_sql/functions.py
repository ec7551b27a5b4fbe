"""Which functions a query may call, by the name that they have in each system.

A function that the parser knows by itself is standard SQL and passes, unless it is refused below. Any other passes only
if it is listed here. PostgreSQL's list holds no function that its own catalogue calls volatile but clocks and random
numbers; a test holds it to the catalogue of a real server.
"""

from __future__ import annotations

REFUSED = frozenset(
    (
        "pg_sleep pg_sleep_for pg_sleep_until sleep benchmark nextval setval lastval currval set_config setseed "
        "current_setting query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema "
        "table_to_xml table_to_xmlschema table_to_xml_and_xmlschema schema_to_xml schema_to_xmlschema "
        "schema_to_xml_and_xmlschema database_to_xml database_to_xmlschema database_to_xml_and_xmlschema ts_stat "
        "ts_rewrite crosstab connectby xpath_table lowrite loread load_file load_extension readfile writefile edit "
        "fts3_tokenizer zipfile regexp sys_eval sys_exec sys_get sys_set get_lock release_lock release_all_locks "
        "is_free_lock is_used_lock master_pos_wait source_pos_wait master_gtid_wait wait_for_executed_gtid_set "
        "wait_until_sql_thread_after_gtids asynchronous_connection_failover_add_source txid_current "
        "pg_current_xact_id inet_server_addr inet_server_port inet_client_addr inet_client_port gen_random_bytes "
        "openquery openrowset opendatasource xp_cmdshell randomblob zeroblob nextval_for next_value_for "
        "file_read read_csv read_parquet read_json getpgusername"
    ).split()
)
"""Functions that write, wait, lock, read files, run SQL given as text, or tell of the server."""

REFUSED_BEGINNINGS = (
    "dblink", "lo_", "pg_read_", "pg_ls_", "pg_stat_file", "pg_file_", "pg_advisory", "pg_try_advisory", "pg_terminate",
    "pg_cancel", "pg_reload", "pg_rotate", "pg_logical", "pg_create", "pg_drop", "pg_replication", "pg_switch",
    "pg_export", "pg_notify", "pg_import", "pg_promote", "pg_wal_", "pg_backup", "pg_start", "pg_stop", "pg_log_",
    "pg_stat_reset", "pg_stat_get", "pg_hba", "pg_show", "pg_current_logfile", "pg_execute", "pg_sync", "pg_restore",
    "pg_clear", "pragma_", "sqlite_", "httpget", "http_", "postgres_fdw_", "gtid_", "group_replication_",
    "binary_upgrade_", "brin_", "gin_clean", "xp_", "sp_",
)  # fmt: skip

_EVERYWHERE = (
    "abs acos asin atan atan2 ceil ceiling char_length character_length coalesce concat concat_ws cos cot degrees "
    "exp floor greatest ifnull instr least left length ln log log10 log2 lower lpad ltrim mod nullif pi power pow "
    "radians replace reverse right round rpad rtrim sign sin sqrt substr substring tan trim trunc upper version "
    "row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value"
)
_POSTGRES = (
    "acosd acosh age any_value array_agg array_append array_cat array_dims array_fill array_length array_lower "
    "array_ndims array_position array_positions array_prepend array_remove array_replace array_sample "
    "array_shuffle array_to_json array_to_string array_to_tsvector array_upper ascii asind asinh atan2d atand "
    "atanh bit_and bit_count bit_length bit_or bit_xor bool_and bool_or broadcast btrim cardinality cbrt chr "
    "clock_timestamp col_description convert convert_from convert_to corr cosd cosh cotd covar_pop covar_samp "
    "date_add date_bin date_part date_subtract date_trunc decode div encode erf erfc every factorial family "
    "format format_type gcd gen_random_uuid generate_series generate_subscripts get_bit get_byte grouping "
    "has_any_column_privilege has_column_privilege has_schema_privilege has_table_privilege host hostmask "
    "inet_merge inet_same_family initcap isempty isfinite json_agg json_array_elements json_array_elements_text "
    "json_array_length json_build_array json_build_object json_each json_each_text json_extract_path "
    "json_extract_path_text json_object json_object_agg json_object_keys json_populate_record "
    "json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_typeof jsonb_agg "
    "jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object "
    "jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_object jsonb_object_agg "
    "jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array "
    "jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set "
    "jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof jsonb_insert justify_days justify_hours "
    "justify_interval lcm lower_inc lower_inf make_date make_interval make_time make_timestamp make_timestamptz "
    "masklen md5 min_scale mode multirange netmask network normalize num_nonnulls num_nulls numnode "
    "obj_description octet_length overlay parse_ident percentile_cont percentile_disc pg_column_size "
    "pg_get_constraintdef pg_get_indexdef pg_get_viewdef pg_indexes_size pg_input_is_valid pg_relation_size "
    "pg_size_pretty pg_table_is_visible pg_table_size pg_total_relation_size pg_typeof phraseto_tsquery "
    "plainto_tsquery position querytree quote_ident quote_literal quote_nullable random range_agg "
    "range_intersect_agg range_merge regexp_count regexp_instr regexp_like regexp_match regexp_matches "
    "regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_avgx regr_avgy regr_count "
    "regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy repeat row_to_json scale set_bit set_byte "
    "set_masklen setweight sha224 sha256 sha384 sha512 similarity sind sinh split_part starts_with "
    "statement_timestamp stddev stddev_pop stddev_samp string_agg string_to_array string_to_table strip strpos "
    "strict_word_similarity tand tanh text to_ascii to_char to_date to_hex to_json to_jsonb to_number to_regclass "
    "to_timestamp to_tsquery to_tsvector transaction_timestamp translate trim_array trim_scale ts_debug "
    "ts_headline ts_rank ts_rank_cd tsvector_to_array unaccent unnest upper_inc upper_inf var_pop var_samp "
    "variance websearch_to_tsquery width_bucket word_similarity levenshtein soundex metaphone dmetaphone center "
    "diameter area box circle point polygon lseg path height width int4range int8range numrange daterange tsrange "
    "tstzrange"
)
_MYSQL = (
    "addtime any_value ascii bin bin_to_uuid bit_count bit_and bit_or bit_xor char conv convert_tz crc32 curdate "
    "curtime database date_add date_format date_sub datediff day dayname dayofmonth dayofweek dayofyear elt "
    "export_set extractvalue field find_in_set format format_bytes from_base64 from_days from_unixtime get_format "
    "group_concat grouping hex hour if inet_aton inet_ntoa inet6_aton inet6_ntoa insert interval is_ipv4 is_ipv6 "
    "is_uuid isnull json_array json_array_append json_array_insert json_arrayagg json_contains json_contains_path "
    "json_depth json_extract json_insert json_keys json_length json_merge_patch json_merge_preserve json_object "
    "json_objectagg json_overlaps json_pretty json_quote json_query json_exists json_compact json_detailed "
    "json_loose json_remove json_replace json_schema_valid json_search json_set json_storage_size json_type "
    "json_unquote json_valid json_value last_day lcase locate makedate maketime make_set md5 median microsecond "
    "mid minute month monthname now nullif nvl nvl2 oct octet_length ord percentile_cont percentile_disc "
    "period_add period_diff position quarter quote rand regexp_instr regexp_like regexp_replace regexp_substr "
    "repeat row_count schema sec_to_time second sha sha1 sha2 soundex space st_area st_asgeojson st_astext "
    "st_contains st_distance st_distance_sphere st_geomfromtext st_intersects st_isvalid st_latitude st_length "
    "st_longitude st_makeenvelope st_srid st_within st_x st_y std stddev stddev_pop stddev_samp str_to_date "
    "strcmp subdate adddate substring_index subtime sysdate time time_format time_to_sec timediff timestamp "
    "timestampadd timestampdiff to_base64 to_char to_days to_seconds truncate ucase uncompressed_length unhex "
    "unix_timestamp utc_date utc_time utc_timestamp uuid uuid_short uuid_to_bin validate_password_strength values "
    "var_pop var_samp variance week weekday weekofyear weight_string year yearweek"
)
_SQLITE = (
    "acosh asinh atanh avg bm25 changes char cosh count date datetime format glob group_concat hex highlight iif "
    "if json json_array json_array_length json_each json_error_position json_extract json_group_array "
    "json_group_object json_insert json_object json_patch json_pretty json_quote json_remove json_replace "
    "json_set json_tree json_type json_valid julianday like likelihood likely match max median min nth_value "
    "octet_length offsets percentile percentile_cont percentile_disc printf quote random replace sinh snippet "
    "soundex strftime string_agg sum tanh time timediff total typeof unhex unicode unistr unixepoch unlikely "
    "generate_series matchinfo"
)
ALLOWED = {
    "postgres": frozenset(f"{_EVERYWHERE} {_POSTGRES}".split()),
    "mysql": frozenset(f"{_EVERYWHERE} {_MYSQL}".split()),
    "sqlite": frozenset(f"{_EVERYWHERE} {_SQLITE}".split()),
}

SECRET_TABLES = frozenset(
    (
        "pg_authid pg_shadow pg_auth_members pg_user_mapping pg_user_mappings pg_foreign_server pg_subscription "
        "pg_hba_file_rules pg_ident_file_mappings pg_file_settings pg_settings pg_config pg_largeobject "
        "pg_stat_activity pg_stat_replication pg_stat_ssl pg_stat_statements pg_roles pg_user processlist "
        "user_privileges user_attributes"
    ).split()
)
"""Tables of the systems that tell of passwords, users, other users' queries, or the server."""

SECRET_SCHEMAS = frozenset("mysql performance_schema sys".split())
